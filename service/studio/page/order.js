/** The order of a list that a person changes: by dragging an item's grip, by arrow keys on it, or by two buttons. */
import { h, icon, setText } from "./dom.js";

/**
 * Orders `items`, which are in the list by their `element`s. `controls` makes those of an item, `name` says what it is
 * called, such as "scene 2"; `onChange` is called after each change. What was moved by keys is told in `said`. After
 * items were added or removed, `label` names the controls anew.
 */
export function ordering({ list, items, said, name, onChange }) {
  let dragged = null;

  function controls(item) {
    const button = (shape, press) =>
      h("button", { type: "button", class: "quiet icon-only", onclick: press }, icon(shape));
    const grip = h(
      "button",
      { type: "button", class: "quiet icon-only grip", draggable: "true" },
      icon("grip"),
    );
    const up = button("up", () => move(item, -1, up));
    const down = button("down", () => move(item, 1, down));
    item.ordered = { grip, up, down };
    grip.addEventListener("keydown", (event) => {
      const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (!step) return;
      event.preventDefault();
      move(item, step, grip);
    });
    return item.ordered;
  }

  /** Has an item's grip drag it, and other items make room for it. */
  function watchDrags(item) {
    const { grip } = item.ordered;
    grip.addEventListener("dragstart", (event) => {
      dragged = item;
      event.dataTransfer.effectAllowed = "move";
      event.dataTransfer.setDragImage(item.element, 20, 20);
      item.element.classList.add("dragged");
    });
    grip.addEventListener("dragend", () => {
      dragged = null;
      item.element.classList.remove("dragged");
    });
    item.element.addEventListener("dragover", (event) => {
      if (!dragged) return;
      event.preventDefault();
      if (dragged !== item) place(dragged, items.indexOf(item));
    });
    item.element.addEventListener("drop", (event) => dragged && event.preventDefault());
  }

  function move(item, step, focus) {
    const to = items.indexOf(item) + step;
    if (to < 0 || to >= items.length) return;
    place(item, to);
    (focus.disabled ? item.ordered.grip : focus).focus();
    setText(said, `Moved to position ${to + 1} of ${items.length}.`);
  }

  function place(item, to) {
    items.splice(items.indexOf(item), 1);
    items.splice(to, 0, item);
    list.insertBefore(item.element, items[to + 1]?.element ?? null);
    label();
    onChange();
  }

  /** Names the controls of all items after their places. */
  function label() {
    items.forEach((item, index) => {
      const { grip, up, down } = item.ordered;
      const called = name(item, index + 1);
      grip.setAttribute("aria-label", `Move ${called}: drag, or press arrow up or down`);
      up.setAttribute("aria-label", `Move ${called} up`);
      down.setAttribute("aria-label", `Move ${called} down`);
      up.disabled = index === 0;
      down.disabled = index === items.length - 1;
    });
  }

  return { controls, watchDrags, label, isDragging: () => dragged !== null };
}
