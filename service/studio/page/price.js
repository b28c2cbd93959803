/** What a press costs, told before it is pressed. */
import { dollars, plural } from "./words.js";

/** What quotes add up to, in dollars: what is paid costs nothing; null where a price is not known. */
export function due(quotes) {
  const open = quotes.filter((quote) => !quote.paid);
  if (open.some((quote) => quote.usd === null)) return null;
  return open.reduce((sum, quote) => sum + quote.usd, 0);
}

/** A label with its price, such as "Generate 3 clips · $2.40"; without one where that has still to be asked for. */
export function priced(label, usd) {
  if (usd === undefined) return label;
  if (usd === null) return `${label} · price not known`;
  return `${label} · ${usd ? dollars(usd) : "no cost"}`;
}

/** A label with the price of those of some scenes that can be made now, if any can. */
export function pricedFor(label, scenes) {
  const quotes = scenes.map((scene) => scene.quote).filter(Boolean);
  return quotes.length ? priced(label, due(quotes)) : label;
}

/** @typedef {{ model: string, resolution: string, audio: boolean }} Choice */

/**
 * Asks for the prices of now, once; until they have come, they go by the table of the `models`. `onNews` is called then.
 */
export function askPrices(clips, models, onNews) {
  let prices = pricesBy(models, null);
  clips
    .estimates()
    // Without an answer the table is all that is known.
    .catch(() => ({ prices: [] }))
    .then((estimates) => {
      prices = pricesBy(models, estimates.prices);
      onNews();
    });
  return {
    of: (seconds, choice) => prices.of(seconds, choice),
    text: (count, seconds, choice) => prices.text(count, seconds, choice),
  };
}

/**
 * The prices by what clips have cost here, else by the table of the models. `estimates` are null while they are still
 * being asked for.
 *
 * @param {import("../client/clips.js").Model[]} models
 * @param {import("../client/clips.js").PriceEstimate[] | null} estimates
 */
export function pricesBy(models, estimates) {
  /** @param {Choice} choice */
  function find({ model, resolution, audio }) {
    const same = (one) => one.resolution === resolution && one.audio === audio;
    const listed = models.find((one) => one.air === model)?.prices.find(same);
    const known = estimates?.find((one) => one.model === model && same(one));
    if (known?.basis === "past") return { usd: known.usd_per_second, source: "what clips have cost here" };
    return listed && { usd: listed.usd_per_second, source: listed.source };
  }

  /**
   * The dollars of so many seconds with a choice: null where that is not known, undefined where it may be known in a moment.
   *
   * @param {number} seconds
   * @param {Choice} choice
   */
  function of(seconds, choice) {
    const price = find(choice);
    if (price) return seconds * price.usd;
    return estimates ? null : undefined;
  }

  /**
   * What so many clips of so many seconds in all will cost, and by whose word.
   *
   * @param {number} count
   * @param {number} seconds
   * @param {Choice} choice
   */
  function text(count, seconds, choice) {
    const what = `${plural(count, "clip")}, ${plural(seconds, "second")}`;
    const price = find(choice);
    if (price) return `${what}: about ${dollars(seconds * price.usd)} (${price.source}).`;
    return estimates ? `${what}. The price is not known: the first finished clip will tell.` : `${what}.`;
  }

  return { of, text };
}
