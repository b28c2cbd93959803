/** How many seconds a clip has: what a scene asks for, and what a model makes of it. Pure. */

/** The seconds in a duration such as 5, "5" or "4.5 s", as the service reads them; null where there are none. */
export function secondsIn(duration) {
  if (typeof duration === "number") return duration;
  const [, number] = /^(\d+(?:[.,]\d+)?)\s*(?:s|secs?|seconds?)?$/i.exec(String(duration ?? "").trim()) ?? [];
  return number === undefined ? null : Number(number.replace(",", "."));
}

/** The shortest of a model's durations that covers what a scene wants, else the longest; as the service has it. */
export function covering(wanted, durations) {
  const seconds = secondsIn(wanted) ?? 0;
  return durations.find((duration) => duration >= seconds) ?? durations.at(-1);
}

/** That a clip has other seconds than were asked for; nothing where it has those. */
export function secondsText(wanted, { name, durations_s: durations }) {
  const seconds = covering(wanted, durations);
  if (!(wanted > 0) || wanted === seconds) return "";
  const [first, last] = [durations[0], durations.at(-1)];
  const all = durations.length > 2 && last - first === durations.length - 1;
  const some = new Intl.ListFormat("en-GB", { type: "disjunction" }).format(durations.map(String));
  return `${wanted} s was asked for; ${name} makes ${all ? `whole seconds from ${first} to ${last}` : `${some} s`}, so the clip has ${seconds} s.`;
}
