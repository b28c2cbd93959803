/** Signing in by an account, or as the operator by the SERVICE_TOKEN: in an application without accounts nobody else can. */
import { accountWay } from "./account.js";
import { h } from "./dom.js";
import { tokenWay } from "./token.js";

const WORDS = {
  heading: "Sign in as operator",
  lead: "Enter the service token of this installation. It shows the projects of all users, and is kept until this tab is closed.",
};

export async function accountOrOperatorWay(clips, config, onSignedOut) {
  const operator = tokenWay(clips, WORDS);
  // The account of another tab may end; the operator of this one stays.
  const account = await accountWay(config, () => operator.signedIn() || onSignedOut());
  const current = () => (operator.signedIn() ? operator : account);

  function view(onSignedIn, notice) {
    const place = h("div", { class: "sign-in-ways" });
    const show = (way, other, words) =>
      place.replaceChildren(
        way.view(onSignedIn, notice),
        h("button", { class: "quiet", type: "button", onclick: other }, words),
      );
    const showAccount = () => show(account, showOperator, "Sign in as operator");
    const showOperator = () => {
      show(operator, showAccount, "Sign in with an account");
      place.querySelector("input").focus();
    };
    showAccount();
    return place;
  }

  return {
    token: (after) => current().token(after),
    signedIn: () => current().signedIn(),
    operator: () => operator.signedIn(),
    signOut: () => current().signOut(),
    owner: () => current().owner(),
    view,
  };
}
