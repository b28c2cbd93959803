/** Which files are the first and the last frame of one scene: by the words in their names, else by their order. */

const WORDS = [
  { start: "first", first: "first", begin: "first", end: "last", last: "last" },
  { in: "first", out: "last" },
  { a: "first", b: "last" },
];
// They also count as a part of another word, as in "harbourstart", but only if the partner is there.
const LONG_WORDS = Object.entries(WORDS[0]);
const PART_OF_A_WORD = WORDS.length;

/**
 * Pairs files (anything that has a `name`). Gives scenes in order, each with a `first` and a `last` file, null where there
 * is none; `named` is whether their names say so, or only their order does.
 */
export function pairFiles(files) {
  const read = files.map(readName).sort(inOrder);
  const scenes = [];
  for (let kind = 0; kind <= PART_OF_A_WORD; kind += 1) scenes.push(...takePairs(read, kind));
  const isKnown = lonelyRule(read, scenes);
  const alone = read.filter((one) => !one.taken && isKnown(one));
  scenes.push(...alone.map((one) => sceneOf({ [one.readings[0].end]: one }, one.readings[0])));
  const rest = read.filter((one) => !one.taken && !alone.includes(one));
  for (let at = 0; at < rest.length; at += 2) scenes.push(sceneOf({ first: rest[at], last: rest[at + 1] }));
  return scenes.sort(inOrder).map(({ first, last, named }) => ({ first, last, named }));
}

/** Takes the files whose names differ in such words alone. */
function takePairs(read, kind) {
  const stems = new Map();
  for (const one of read)
    for (const reading of one.readings.filter((reading) => reading.kind === kind)) {
      const key = reading.tokens.join(" ");
      if (!stems.has(key)) stems.set(key, { reading, first: [], last: [] });
      stems.get(key)[reading.end].push(one);
    }
  const scenes = [];
  for (const { reading, ...ends } of stems.values())
    for (const first of ends.first) {
      const last = ends.last.find((one) => !one.taken && one !== first);
      if (first.taken || !last) continue;
      first.taken = last.taken = true;
      scenes.push(sceneOf({ first, last }, reading));
    }
  return scenes;
}

/**
 * Whether a file without a partner is still known to be a first or a last frame. One word proves little, as in "boat in
 * harbour": so other files must be named in the same way.
 */
function lonelyRule(read, scenes) {
  const pairedBy = new Set(scenes.map((scene) => scene.kind));
  const hasLongWord = ({ readings }) => readings[0]?.kind === 0;
  if (read.every(hasLongWord)) pairedBy.add(0);
  return ({ readings }) =>
    readings.length > 0 && readings[0].kind < PART_OF_A_WORD && pairedBy.has(readings[0].kind);
}

/**
 * @param {{ first?: any, last?: any }} ends
 * @param {any} [reading]
 */
function sceneOf({ first, last }, reading) {
  const { tokens, name } = { ...(first ?? last), ...reading };
  return {
    first: first?.file ?? null,
    last: last?.file ?? null,
    named: Boolean(reading),
    kind: reading?.kind,
    tokens,
    name,
  };
}

/** Reads a name: its words and numbers, and each way to see an end in it, the likeliest first. */
function readName(file) {
  const tokens = tokensOf(file.name);
  const readings = tokens.flatMap((token, index) => readingsOf(token, index, tokens));
  readings.sort((one, other) => one.kind - other.kind || other.index - one.index);
  return { file, name: file.name, tokens, readings, taken: false };
}

function readingsOf(token, index, tokens) {
  const reading = (kind, end, left) => ({ kind, end, index, tokens: tokens.toSpliced(index, 1, ...left) });
  const kind = WORDS.findIndex((words) => Object.hasOwn(words, token));
  if (kind >= 0) return [reading(kind, WORDS[kind][token], [])];
  return LONG_WORDS.flatMap(([word, end]) => [
    ...(token.endsWith(word) ? [reading(PART_OF_A_WORD, end, [token.slice(0, -word.length)])] : []),
    ...(token.startsWith(word) ? [reading(PART_OF_A_WORD, end, [token.slice(word.length)])] : []),
  ]);
}

/** The words and numbers of a file's name, without its ending: "Scene02_End.png" has "scene", "2" and "end". */
function tokensOf(name) {
  const words = name
    .normalize("NFC")
    .replace(/\.[^.]*$/, "")
    .replace(/([a-z])([A-Z])/g, "$1 $2")
    .toLowerCase();
  return (words.match(/\p{L}+|[0-9]+/gu) ?? []).map((token) => token.replace(/^0+(?=[0-9])/, ""));
}

/** Numbers by their value and before words; what is alike, by the whole name. */
function inOrder(one, other) {
  for (let at = 0; at < Math.max(one.tokens.length, other.tokens.length); at += 1) {
    const order = compareTokens(one.tokens[at] ?? "", other.tokens[at] ?? "");
    if (order) return order;
  }
  return compare(one.name, other.name);
}

function compareTokens(one, other) {
  const [isNumber, isOther] = [one, other].map((token) => /^[0-9]/.test(token));
  if (isNumber && isOther) return one.length - other.length || compare(one, other);
  if (one && other && isNumber !== isOther) return isNumber ? -1 : 1;
  return compare(one, other);
}

const compare = (one, other) => (one < other ? -1 : Number(one > other));
