/** The dialog that puts a project's scenes into another order. */
import { openForm } from "./dialog.js";
import { h, picture } from "./dom.js";
import { Ordering } from "./order.js";

/** Opens the dialog for scenes; `onSave` gets their keys in the new order, and may throw what is then shown. */
export function openArrange({ scenes, onSave }) {
  const list = h("ol", { class: "rows" });
  const said = h("p", { class: "unseen", role: "status" });
  const save = h("button", { class: "primary", type: "submit" }, "Save order");
  const rows = scenes.map(({ key }) => ({ key }));
  const order = new Ordering({
    list,
    items: rows,
    said,
    name: ({ key }) => `scene ${key}`,
    onChange: update,
  });
  const hint = h("p", { class: "muted" }, "Clips move along with their scenes. A new order costs nothing.");

  function update() {
    save.disabled = rows.every(({ key }, index) => key === scenes[index].key);
  }

  for (const [index, row] of rows.entries()) {
    row.element = rowOf(scenes[index], order.controls(row));
    order.watchDrags(row);
    list.append(row.element);
  }
  order.label();
  update();
  openForm({
    name: "arrange",
    heading: "Arrange scenes",
    body: h("div", { class: "dialog-body" }, hint, list, said),
    submit: save,
    onSubmit: () => onSave(rows.map(({ key }) => key)),
  });
}

const rowOf = ({ key, first, prompt }, { grip, up, down }) =>
  h(
    "li",
    { class: "row" },
    grip,
    h("span", { class: "row-picture" }, picture(first, "")),
    h("span", { class: "row-text" }, h("strong", {}, `Scene ${key}`), h("span", {}, prompt || "No prompt.")),
    up,
    down,
  );
