/** The order of a list that a person changes: by dragging an item's grip, by arrow keys on it, or by two buttons. */
import { h, icon, setText } from "./dom.js";

/**
 * Orders `items`, which are in the list by their `element`s. `controls` makes those of an item, `name` says what it is
 * called, such as "scene 2"; `onChange` is called after each change. What was moved by keys is told in `said`. After
 * items were added or removed, `label` names the controls anew.
 */
export class Ordering {
  #list;
  #items;
  #said;
  #name;
  #onChange;
  #dragged = null;
  /** @type {Map<any, { grip: HTMLButtonElement, up: HTMLButtonElement, down: HTMLButtonElement }>} */
  #controls = new Map();

  constructor({ list, items, said, name, onChange }) {
    this.#list = list;
    this.#items = items;
    this.#said = said;
    this.#name = name;
    this.#onChange = onChange;
  }

  isDragging() {
    return this.#dragged !== null;
  }

  controls(item) {
    const grip = h(
      "button",
      { type: "button", class: "quiet icon-only grip", draggable: "true" },
      icon("grip"),
    );
    const up = button("up", () => this.#move(item, -1, up));
    const down = button("down", () => this.#move(item, 1, down));
    grip.addEventListener("keydown", (event) => {
      const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (!step) return;
      event.preventDefault();
      this.#move(item, step, grip);
    });
    this.#controls.set(item, { grip, up, down });
    return { grip, up, down };
  }

  /** Has an item's grip drag it, and other items make room for it. */
  watchDrags(item) {
    const { grip } = this.#controls.get(item);
    grip.addEventListener("dragstart", (event) => {
      this.#dragged = item;
      event.dataTransfer.effectAllowed = "move";
      event.dataTransfer.setDragImage(item.element, 20, 20);
      item.element.classList.add("dragged");
    });
    grip.addEventListener("dragend", () => {
      this.#dragged = null;
      item.element.classList.remove("dragged");
    });
    item.element.addEventListener("dragover", (event) => {
      if (!this.#dragged) return;
      event.preventDefault();
      if (this.#dragged !== item) this.#place(this.#dragged, this.#items.indexOf(item));
    });
    item.element.addEventListener("drop", (event) => this.#dragged && event.preventDefault());
  }

  /** Names the controls of all items after their places. */
  label() {
    for (const [index, item] of this.#items.entries()) {
      const { grip, up, down } = this.#controls.get(item);
      const called = this.#name(item, index + 1);
      grip.setAttribute("aria-label", `Move ${called}: drag, or press arrow up or down`);
      up.setAttribute("aria-label", `Move ${called} up`);
      down.setAttribute("aria-label", `Move ${called} down`);
      up.disabled = index === 0;
      down.disabled = index === this.#items.length - 1;
    }
  }

  #move(item, step, focus) {
    const to = this.#items.indexOf(item) + step;
    if (to < 0 || to >= this.#items.length) return;
    this.#place(item, to);
    (focus.disabled ? this.#controls.get(item).grip : focus).focus();
    setText(this.#said, `Moved to position ${to + 1} of ${this.#items.length}.`);
  }

  #place(item, to) {
    this.#items.splice(this.#items.indexOf(item), 1);
    this.#items.splice(to, 0, item);
    this.#list.insertBefore(item.element, this.#items[to + 1]?.element ?? null);
    this.label();
    this.#onChange();
  }
}

const button = (shape, onclick) =>
  h("button", { type: "button", class: "quiet icon-only", onclick }, icon(shape));
