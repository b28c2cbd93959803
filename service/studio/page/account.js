/** Signing in by the project's own Supabase Auth, whose client keeps the session in this browser and refreshes it. */
import { ClipsError } from "../client/clips.js";
import { AuthClient } from "../vendor/supabase-auth.js";
import { h } from "./dom.js";

// The client refreshes a token that has less than this left.
const MARGIN_S = 90;
const OTHER_BROWSER =
  "This link was asked for in another browser, or is out of date. Have a new one sent, and open it in this browser.";
const UNREACHABLE = "The sign-in can't be reached. Check the connection, then try again.";
const SENTENCES = {
  invalid_credentials: "The e-mail address or the password is wrong. Check both, or have a link sent.",
  email_not_confirmed:
    "This e-mail address is not confirmed yet. Open the link that was sent to it after the sign-up.",
  email_address_invalid: "This is no e-mail address that a link can be sent to. Check it.",
  validation_failed: "This is no e-mail address. Check it.",
  otp_disabled:
    "There is no account with this e-mail address. Check it, or sign up in the application first.",
  user_banned: "This account is blocked. Ask whoever runs this installation.",
  over_email_send_rate_limit: "Too many e-mails were asked for. Wait a minute, then try again.",
  over_request_rate_limit: "Too many attempts. Wait a minute, then try again.",
  otp_expired: "This link is out of date or was used already. Have a new one sent.",
  bad_code_verifier: OTHER_BROWSER,
  flow_state_expired: OTHER_BROWSER,
  flow_state_not_found: OTHER_BROWSER,
  pkce_code_verifier_not_found: OTHER_BROWSER,
};

export async function accountWay({ supabase_url: url, anon_key: key }, onSignedOut) {
  const nobody = { token: () => undefined, signedIn: () => false, operator: () => false };
  if (!key) return { ...nobody, view: unfinishedView };
  const auth = new AuthClient({
    url: `${url}/auth/v1`,
    headers: { apikey: key },
    storageKey: "clips-session",
    // The link in the e-mail carries a code that only the browser which asked for it can use.
    flowType: "pkce",
  });
  const { error: linkError } = await auth.initialize();
  let linkProblem = linkError
    ? sentence(linkError)
    : new URLSearchParams(location.search).has("code")
      ? OTHER_BROWSER
      : "";
  // What the link brought stands in the address no longer than it is needed.
  if (linkProblem) history.replaceState(null, "", location.pathname);
  let expiresAt = Infinity;
  auth.onAuthStateChange((event, session) => {
    expiresAt = session?.expires_at ?? Infinity;
    if (event === "SIGNED_OUT") onSignedOut();
  });

  async function session(refused) {
    // Offline the client would try for half a minute, and after that not again for a whole one.
    if (!navigator.onLine && expiresAt - MARGIN_S < Date.now() / 1000)
      throw new ClipsError(UNREACHABLE, "unreachable", 0);
    let { data, error } = await auth.getSession();
    // Another call may have had it refreshed meanwhile.
    if (refused && data.session?.access_token === refused) ({ data, error } = await auth.refreshSession());
    // Nobody is signed out by a failure of the network.
    if (error?.name === "AuthRetryableFetchError") throw new ClipsError(UNREACHABLE, "unreachable", 0);
    return data.session;
  }

  /** @param {{refused?: string}} after */
  async function token({ refused } = {}) {
    const current = await session(refused);
    if (!current && !refused) throw new ClipsError("You are signed out. Sign in again.", "unauthorized", 401);
    return current?.access_token;
  }

  return {
    token,
    signedIn: async () => (await session()) !== null,
    operator: () => false,
    signOut: () => auth.signOut({ scope: "local" }),
    // Without a network an old session can't be told apart from an ended one.
    owner: () =>
      session().then(
        (current) => current?.user.id ?? null,
        () => null,
      ),
    view: (onSignedIn, notice) => {
      const shown = notice || linkProblem;
      linkProblem = "";
      return signInView(auth, onSignedIn, shown);
    },
  };
}

function signInView(auth, onSignedIn, notice = "") {
  const problem = h("p", { class: "field-problem", role: "alert" }, notice);
  const sent = h("p", { class: "sent", role: "status" });
  const email = h("input", { id: "email", type: "email", autocomplete: "username", required: true });
  const password = h("input", {
    id: "password",
    type: "password",
    autocomplete: "current-password",
    required: true,
  });
  const signIn = h("button", { class: "primary", type: "submit" }, "Sign in");
  const sendLink = h("button", { type: "button", onclick: link }, "Send me a link");

  async function attempt(request, onSuccess) {
    signIn.disabled = sendLink.disabled = true;
    problem.textContent = sent.textContent = "";
    const { error } = await request();
    signIn.disabled = sendLink.disabled = false;
    if (!error) return onSuccess();
    problem.textContent = sentence(error);
    email.focus();
  }

  function submit(event) {
    event.preventDefault();
    attempt(() => auth.signInWithPassword({ email: email.value, password: password.value }), onSignedIn);
  }

  function link() {
    if (!email.reportValidity()) return;
    // Accounts are made in the application.
    const options = { emailRedirectTo: `${location.origin}/`, shouldCreateUser: false };
    attempt(
      () => auth.signInWithOtp({ email: email.value, options }),
      () => (sent.textContent = `A link is on its way to ${email.value}. Open it in this browser.`),
    );
  }

  return h(
    "section",
    { class: "sign-in" },
    h("h1", {}, "Sign in"),
    h(
      "p",
      { class: "lead" },
      "Use the account that you have in the application, with your password or with a link that is sent to you.",
    ),
    h(
      "form",
      { onsubmit: submit },
      h("label", { for: "email" }, "E-mail address"),
      email,
      h("label", { for: "password" }, "Password"),
      password,
      problem,
      sent,
      h("div", { class: "actions" }, signIn, sendLink),
    ),
  );
}

function unfinishedView() {
  return h(
    "section",
    { class: "sign-in" },
    h("h1", {}, "No account can sign in yet"),
    h(
      "p",
      { class: "lead" },
      "The operator of this installation has to set SUPABASE_ANON_KEY to the project's anon or publishable key, and restart the service.",
    ),
  );
}

function sentence(error) {
  if (error.name === "AuthRetryableFetchError") return UNREACHABLE;
  return SENTENCES[error.code ?? error.details?.code] ?? `This did not work: ${error.message}.`;
}
