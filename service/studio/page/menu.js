/** A button that shows further actions. */
import { h, icon } from "./dom.js";

/**
 * A menu. `set` takes the name of its button and its items: `{text, icon, onChoose, danger}` is an action, `{text}` alone a
 * sentence. Without items there is no button.
 */
export class Menu {
  #shown = "";
  #list = h("ul", { class: "menu-list", hidden: true });
  #button = h(
    "button",
    {
      type: "button",
      class: "quiet icon-only",
      "aria-expanded": "false",
      onclick: () => (this.#list.hidden ? this.#open() : this.#close()),
    },
    icon("more"),
  );
  element = h("div", { class: "menu" }, this.#button, this.#list);
  #closeOutside = (event) => this.element.contains(event.target) || this.#close();

  constructor() {
    this.element.addEventListener("keydown", (event) => this.#press(event));
    this.element.addEventListener("focusout", ({ relatedTarget: next }) => {
      if (next instanceof Node && !this.element.contains(next)) this.#close();
    });
  }

  set(name, items) {
    this.#button.setAttribute("aria-label", name);
    this.element.hidden = !items.length;
    // What has not changed is left alone, so that an open menu keeps its focus.
    if (this.#shown === JSON.stringify(items)) return;
    this.#shown = JSON.stringify(items);
    this.#list.replaceChildren(...items.map((item) => this.#item(item)));
  }

  #open() {
    this.#list.hidden = false;
    this.#button.setAttribute("aria-expanded", "true");
    document.addEventListener("pointerdown", this.#closeOutside);
    this.#list.querySelector("button")?.focus();
  }

  #close() {
    this.#list.hidden = true;
    this.#button.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", this.#closeOutside);
  }

  #press(event) {
    if (this.#list.hidden) return;
    if (event.key === "Escape") {
      this.#close();
      this.#button.focus();
      return;
    }
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const actions = [...this.#list.querySelectorAll("button")];
    const focused = actions.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
    actions.at((focused + step) % actions.length)?.focus();
  }

  #item({ text, icon: shape, onChoose, danger }) {
    if (!onChoose) return h("li", {}, h("p", { class: "muted" }, text));
    const onclick = () => {
      this.#close();
      // What opens a dialog finds the focus where it is to come back to.
      this.#button.focus();
      onChoose();
    };
    const kind = danger ? "quiet danger" : "quiet";
    return h("li", {}, h("button", { type: "button", class: kind, onclick }, icon(shape), text));
  }
}
