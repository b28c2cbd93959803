import assert from "node:assert/strict";
import { test } from "node:test";
import { due, priced, pricedFor, pricesBy } from "../../service/studio/page/price.js";

const CHOICE = { model: "a", resolution: "720p", audio: false };
const LISTED = { resolution: "720p", audio: false, usd_per_second: 0.2, source: "Runware's price list" };
const MODELS = /** @type {any} */ ([{ air: "a", prices: [LISTED] }]);
const estimate = (basis, usd) => /** @type {any} */ ({ ...CHOICE, basis, usd_per_second: usd });
const quote = (usd, paid = false) => ({ usd, paid });

test("what is paid costs nothing, and one unknown price makes the sum unknown", () => {
  assert.equal(due([quote(1), quote(2), quote(4, true)]), 3);
  assert.equal(due([quote(1), quote(null)]), null);
  assert.equal(due([quote(null, true)]), 0);
  assert.equal(due([]), 0);
});

test("a label says its price, that it costs nothing, or that nobody knows", () => {
  assert.equal(priced("Make", 2.4), "Make · $2.40");
  assert.equal(priced("Make", 0), "Make · no cost");
  assert.equal(priced("Make", null), "Make · price not known");
  assert.equal(priced("Make", undefined), "Make");
});

test("scenes that can't be made now have no part in a label's price", () => {
  assert.equal(pricedFor("Make", [{ quote: quote(1) }, { quote: null }]), "Make · $1.00");
  assert.equal(pricedFor("Make", [{ quote: null }]), "Make");
});

test("what clips have cost here counts before the table of models", () => {
  const text = (estimates) => pricesBy(MODELS, estimates).text(2, 8, CHOICE);
  assert.equal(text([estimate("past", 0.5)]), "2 clips, 8 seconds: about $4.00 (what clips have cost here).");
  assert.equal(text([estimate("table", 0.5)]), "2 clips, 8 seconds: about $1.60 (Runware's price list).");
  assert.equal(text(null), "2 clips, 8 seconds: about $1.60 (Runware's price list).");
});

test("a price that is still asked for is left out, and one that nobody has is said to be unknown", () => {
  const other = { ...CHOICE, audio: true };
  assert.equal(pricesBy(MODELS, null).of(4, other), undefined);
  assert.equal(pricesBy(MODELS, null).text(1, 4, other), "1 clip, 4 seconds.");
  assert.equal(pricesBy(MODELS, []).of(4, other), null);
  assert.match(pricesBy(MODELS, []).text(1, 4, other), /The price is not known/);
});
