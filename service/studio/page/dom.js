/** Small helpers around the DOM. No text ever becomes markup here. */
import { smallUrl } from "../client/clips.js";

/**
 * Makes an element: attributes, `on…` listeners, and children that are nodes, texts or absent.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, any>} attributes
 * @param {...any} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(
    ...children.flat().filter((child) => child !== null && child !== undefined && child !== false),
  );
  return element;
}

/** Shapes of 16 units, drawn in the colour of the text around them. */
const ICONS = {
  play: "M5 3.2v9.6L13 8Z",
  retry: "M13 8a5 5 0 1 1-1.6-3.7M13 2v3h-3",
  download: "M8 2v8m-3.5-3L8 10.5 11.5 7M3 13.5h10",
  back: "M10 3 5 8l5 5",
  up: "M8 13V3M4 7l4-4 4 4",
  down: "M8 3v10M4 9l4 4 4-4",
  swap: "M3 5.5h9M9.5 3 12 5.5 9.5 8M13 10.5H4M6.5 8 4 10.5 6.5 13",
  grip: "M6 3.5h.01M10 3.5h.01M6 8h.01M10 8h.01M6 12.5h.01M10 12.5h.01",
  remove: "M4 4l8 8M12 4l-8 8",
  plus: "M8 3v10M3 8h10",
  image: "M2.5 3.5h11v9h-11ZM3 11l3-3 2.5 2.5L11 8l2.5 2.5",
  alert: "M8 2.5 14 13.5H2ZM8 6.5v3M8 11.5h.01",
  sliders:
    "M2 5h6M12 5h2M10 5m-1.6 0a1.6 1.6 0 1 0 3.2 0 1.6 1.6 0 1 0-3.2 0M2 11h2M8 11h6M6 11m-1.6 0a1.6 1.6 0 1 0 3.2 0 1.6 1.6 0 1 0-3.2 0",
  search: "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10ZM11 11l3 3",
  next: "M6 3l5 5-5 5",
  edit: "M3 13l.6-2.8L11 2.8a1.4 1.4 0 0 1 2.2 2.2L5.8 12.4ZM9.6 4.2l2.2 2.2",
  more: "M3 8h.01M8 8h.01M13 8h.01",
  trash: "M2.5 4.5h11M6 4.5v-2h4v2M4 4.5l.7 9h6.6l.7-9M6.8 7.2v3.6M9.2 7.2v3.6",
  copy: "M6 6h7.5v7.5H6ZM3.5 10H2.5V2.5H10v1",
  arrange: "M2.5 4h7M2.5 8h7M2.5 12h7M12.5 3v10m-1.5-1.5L12.5 13l1.5-1.5",
  restore: "M3 8a5 5 0 1 0 1.6-3.7M3 2v3h3",
};

export function icon(name, size = 16) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  for (const [key, value] of Object.entries({
    viewBox: "0 0 16 16",
    width: size,
    height: size,
    class: `icon icon-${name}`,
  })) {
    svg.setAttribute(key, String(value));
  }
  svg.setAttribute("aria-hidden", "true");
  return svg;
}

/** Sets a text only where it differs, so that nothing is selected or announced anew. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** A frame's picture, small where there is a small version, or a quiet sign in its place where it can't be shown. */
export function picture(url, alt) {
  const missing = () =>
    h("span", { class: "no-picture", role: "img", "aria-label": `${alt}: no picture` }, icon("image", 20));
  if (!isShowable(url)) return missing();
  // Loading comes first: an image that has its source already begins to load.
  const image = h("img", { loading: "lazy", decoding: "async", alt, src: smallUrl(url) });
  image.addEventListener("error", () => {
    if (image.getAttribute("src") === url) image.replaceWith(missing());
    else image.src = url;
  });
  return image;
}

/** Whether this page's Content-Security-Policy lets it show what is at the URL. */
export function isShowable(url) {
  try {
    const { protocol, hostname, origin } = new URL(url, location.href);
    if (protocol === "https:" || protocol === "blob:" || origin === location.origin) return true;
    return protocol === "http:" && ["127.0.0.1", "localhost"].includes(hostname);
  } catch {
    return false;
  }
}
