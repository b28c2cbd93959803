/** A button that shows further actions. */
import { h, icon } from "./dom.js";

/**
 * Makes a menu. `set` takes the name of its button and its items: `{text, icon, onChoose, danger}` is an action, `{text}`
 * alone a sentence. Without items there is no button.
 */
export function menu() {
  let shown = "";
  const list = h("ul", { class: "menu-list", hidden: true });
  const button = h(
    "button",
    { type: "button", class: "quiet icon-only", "aria-expanded": "false", onclick: toggle },
    icon("more"),
  );
  const element = h("div", { class: "menu" }, button, list);

  function toggle() {
    if (list.hidden) open();
    else close();
  }

  function open() {
    list.hidden = false;
    button.setAttribute("aria-expanded", "true");
    document.addEventListener("pointerdown", closeOutside);
    list.querySelector("button")?.focus();
  }

  function close() {
    list.hidden = true;
    button.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", closeOutside);
  }

  function closeOutside(event) {
    if (!element.contains(event.target)) close();
  }

  function press(event) {
    if (list.hidden) return;
    if (event.key === "Escape") {
      close();
      button.focus();
      return;
    }
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const actions = [...list.querySelectorAll("button")];
    const focused = actions.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
    actions.at((focused + step) % actions.length)?.focus();
  }

  const itemElement = ({ text, icon: shape, onChoose, danger }) =>
    h("li", {}, onChoose ? action(text, shape, onChoose, danger) : h("p", { class: "muted" }, text));

  function action(text, shape, onChoose, danger) {
    const choose = () => {
      close();
      // What opens a dialog finds the focus where it is to come back to.
      button.focus();
      onChoose();
    };
    return h(
      "button",
      { type: "button", class: danger ? "quiet danger" : "quiet", onclick: choose },
      icon(shape),
      text,
    );
  }

  element.addEventListener("keydown", press);
  element.addEventListener("focusout", (event) => {
    if (event.relatedTarget instanceof Node && !element.contains(event.relatedTarget)) close();
  });
  return {
    element,
    set(name, items) {
      button.setAttribute("aria-label", name);
      element.hidden = !items.length;
      // What has not changed is left alone, so that an open menu keeps its focus.
      if (shown === JSON.stringify(items)) return;
      shown = JSON.stringify(items);
      list.replaceChildren(...items.map(itemElement));
    },
  };
}
