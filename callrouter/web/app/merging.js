// Two people's changes of one text, put together line by line.

import { diff } from "../vendor/codemirror.js";

/** Each line by a character of its own, so that texts can be compared line by line; null: there are more
 * different lines than characters to stand for them. */
function coded(texts) {
  const known = new Map();
  const codes = texts.map((text) => text.split("\n").map((line) => {
    if (!known.has(line)) known.set(line, String.fromCharCode(0xe000 + known.size));
    return known.get(line);
  }).join(""));
  return known.size > 0x18ff ? null : codes;
}

/** The lines that one text has and another has not, each behind - or +. */
export function lineChanges(before, after) {
  const codes = coded([before, after]);
  if (!codes) return [];
  const [old, made] = [before, after].map((text) => text.split("\n"));
  return diff(...codes).flatMap((change) => [
    ...old.slice(change.fromA, change.toA).map((line) => `-${line}`), ...made.slice(change.fromB, change.toB).map((line) => `+${line}`),
  ]);
}

/** What `mine` and `theirs` make of `base`, if no line was changed by both; otherwise null. */
export function together(base, mine, theirs) {
  const [old, one, two] = [base, mine, theirs].map((text) => text.split("\n"));
  const codes = coded([base, mine, theirs]);
  if (!codes) return null;
  const changes = [
    ...diff(codes[0], codes[1]).map((change) => ({ ...at(change), lines: one.slice(change.fromB, change.toB) })),
    ...diff(codes[0], codes[2]).map((change) => ({ ...at(change), lines: two.slice(change.fromB, change.toB) })),
  ].sort((first, second) => first.from - second.from || first.to - second.to);
  const made = [];
  let done = 0;
  let last = null;
  for (const change of changes) {
    if (last && same(last, change)) continue; // both made the same change
    if (last && change.from <= last.to) return null;
    made.push(...old.slice(done, change.from), ...change.lines);
    done = change.to;
    last = change;
  }
  return [...made, ...old.slice(done)].join("\n");
}

const at = (change) => ({ from: change.fromA, to: change.toA });
const same = (one, two) => one.from === two.from && one.to === two.to && one.lines.join("\n") === two.lines.join("\n");
