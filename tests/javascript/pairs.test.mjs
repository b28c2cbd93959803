import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { pairFiles } from "../../service/studio/page/pairs.js";

// The page and the terminal pair files by the same rule.
const cases = JSON.parse(readFileSync(new URL("../pairs.json", import.meta.url), "utf8"));

for (const { rule, names, scenes } of cases) {
  test(rule, () => {
    const found = pairFiles(names.map((name) => ({ name })));
    assert.deepEqual(
      found.map(({ first, last }) => [first?.name ?? null, last?.name ?? null]),
      scenes,
    );
  });
}
