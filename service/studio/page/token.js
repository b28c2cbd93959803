/** Signing in by a SERVICE_TOKEN: its holder may do everything. It is kept for this tab alone. */
import { h } from "./dom.js";

const KEY = "clips-token";
const WORDS = {
  heading: "Sign in",
  lead: "This installation is protected. Enter its service token; it is kept until this tab is closed.",
};

export function tokenWay(clips, words = WORDS) {
  const token = () => sessionStorage.getItem(KEY) ?? undefined;
  const signOut = () => sessionStorage.removeItem(KEY);

  function view(onSignedIn) {
    const problem = h("p", { class: "field-problem", role: "alert" });
    const field = h("input", {
      id: "token",
      type: "password",
      autocomplete: "current-password",
      required: true,
    });
    const button = h("button", { class: "primary", type: "submit" }, "Sign in");

    async function submit(event) {
      event.preventDefault();
      button.disabled = true;
      problem.textContent = "";
      sessionStorage.setItem(KEY, field.value.trim());
      try {
        await clips.projects({ limit: 1 });
        onSignedIn();
      } catch (error) {
        signOut();
        problem.textContent =
          error.status === 401 ? "This is not the service's token. Check it and try again." : error.message;
        field.focus();
      } finally {
        button.disabled = false;
      }
    }

    return h(
      "section",
      { class: "sign-in" },
      h("h1", {}, words.heading),
      h("p", { class: "lead" }, words.lead),
      h("form", { onsubmit: submit }, h("label", { for: "token" }, "Service token"), field, problem, button),
    );
  }

  const signedIn = () => token() !== undefined;
  return { token, signedIn, operator: signedIn, owner: () => "operator", signOut, view };
}
