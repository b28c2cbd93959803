/** A video that somebody began and has not made: kept on this device, for each user apart. */

const KEY = "clips-draft";
// A browser gives a page some 5 MB in all.
const MOST_CHARACTERS = 1_000_000;

/** Where the draft of one person is kept; of nobody, where `owner` is null. */
export function draftStore(owner) {
  const key = `${KEY}:${owner}`;

  function read() {
    if (owner === null) return null;
    try {
      return checked(JSON.parse(localStorage.getItem(key)));
    } catch {
      return null;
    }
  }

  /** Keeps a draft in place of the one before; gives whether there was room for it. */
  function keep(draft) {
    const text = JSON.stringify({ ...draft, kept_at: new Date().toISOString() });
    if (owner === null || text.length > MOST_CHARACTERS) return false;
    try {
      localStorage.setItem(key, text);
      return true;
    } catch {
      return false;
    }
  }

  return { read, keep, drop: () => localStorage.removeItem(key) };
}

/** A draft as this release writes it, or null. */
function checked(draft) {
  const isText = (value) => typeof value === "string";
  const isFrame = (frame) => isText(frame?.url) && isText(frame.name);
  const isScene = (scene) => isText(scene?.prompt) && isFrame(scene.first) && isFrame(scene.last);
  const isWhole = isText(draft?.title) && Array.isArray(draft.scenes) && draft.scenes.every(isScene);
  return isWhole && draft.choice && Date.parse(draft.kept_at) ? draft : null;
}
