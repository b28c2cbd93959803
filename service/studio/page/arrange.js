/** The dialog that puts a project's scenes into another order. */
import { h, icon, picture, setText } from "./dom.js";
import { refusalText } from "./reasons.js";
import { ordering } from "./order.js";

/** Opens the dialog for scenes; `onSave` gets their keys in the new order, and may throw what is then shown. */
export function openArrange({ scenes, onSave }) {
  const list = h("ol", { class: "rows" });
  const said = h("p", { class: "unseen", role: "status" });
  const problem = h("p", { class: "field-problem", role: "alert" });
  const save = h("button", { class: "primary", type: "submit" }, "Save order");
  const rows = scenes.map(({ key }) => ({ key }));
  const order = ordering({ list, items: rows, said, name: ({ key }) => `scene ${key}`, onChange: update });
  const dialog = h(
    "dialog",
    { class: "arrange", "aria-labelledby": "arrange-title" },
    h(
      "form",
      { onsubmit: send },
      h(
        "div",
        { class: "dialog-head" },
        h("h2", { id: "arrange-title" }, "Arrange scenes"),
        h(
          "button",
          { type: "button", class: "quiet icon-only", "aria-label": "Close", onclick: () => dialog.close() },
          icon("remove"),
        ),
      ),
      h(
        "div",
        { class: "dialog-body" },
        h("p", { class: "muted" }, "Clips move along with their scenes. A new order costs nothing."),
        list,
        said,
      ),
      h("div", { class: "dialog-foot" }, h("div", { class: "grow" }, problem), save),
    ),
  );

  function row({ key, first, prompt }, item) {
    const { grip, up, down } = order.controls(item);
    item.element = h(
      "li",
      { class: "row" },
      grip,
      h("span", { class: "row-picture" }, picture(first, "")),
      h(
        "span",
        { class: "row-text" },
        h("strong", {}, `Scene ${key}`),
        h("span", {}, prompt || "No prompt."),
      ),
      up,
      down,
    );
    order.watchDrags(item);
    return item.element;
  }

  function update() {
    save.disabled = rows.every(({ key }, index) => key === scenes[index].key);
  }

  async function send(event) {
    event.preventDefault();
    save.disabled = true;
    setText(problem, "");
    try {
      await onSave(rows.map(({ key }) => key));
      dialog.close();
    } catch (error) {
      setText(problem, refusalText(error));
      save.disabled = false;
    }
  }

  list.append(...scenes.map((scene, index) => row(scene, rows[index])));
  order.label();
  update();
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
