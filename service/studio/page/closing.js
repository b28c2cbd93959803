/** Closing a dialog in which something was begun: a question in the place of its foot comes before. */

/**
 * `isClean` tells that nothing would be lost, `isBusy` that the dialog stays for now. The `question` has the button
 * `keepEditing`, which gets the focus. Gives `close`, which asks where it has to, and `ask`, which shows the question or
 * takes it away.
 */
export function closing({ dialog, question, keepEditing, foot, isBusy, isClean }) {
  let focusedBefore = null;

  function close() {
    if (isBusy()) return;
    if (isClean()) dialog.close();
    else ask(true);
  }

  function ask(whether) {
    if (whether && question.hidden) focusedBefore = document.activeElement;
    question.hidden = !whether;
    foot.hidden = whether;
    (whether ? keepEditing : focusedBefore).focus();
  }

  // A second press of Escape would close the dialog in spite of a listener for "cancel" alone.
  dialog.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    if (question.hidden) close();
    else ask(false);
  });
  dialog.addEventListener("cancel", (event) => {
    event.preventDefault();
    close();
  });
  return { ask, close };
}
