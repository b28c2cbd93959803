/** Where somebody is in the list of projects, as the page's address tells it: so the way back leads there. */

const STATES = ["generating", "failed", "done", "deleted"];

let last = "#/";

/** Reads an address: what is searched for, the state, how many projects were shown, and which one was opened. */
export function readPlace(hash) {
  const query = new URLSearchParams(hash.split("?")[1] ?? "");
  const state = query.get("state") ?? "";
  return {
    q: query.get("q") ?? "",
    state: STATES.includes(state) ? state : "",
    shown: Math.max(0, Number.parseInt(query.get("shown"), 10) || 0),
    at: query.get("at") ?? "",
  };
}

/** Makes a place the page's address, in the step of the browser's history that is there. */
export function keepPlace(place) {
  const query = String(new URLSearchParams(Object.entries(place).filter(([, value]) => value)));
  last = query ? `#/?${query}` : "#/";
  // Somebody who has just gone on to a project stays there.
  if (!location.hash.startsWith("#/projects/")) history.replaceState(null, "", last);
}

/** The address of the list as it was last seen. */
export const lastPlace = () => last;
