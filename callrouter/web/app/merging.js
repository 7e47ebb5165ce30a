// Two people's changes of one text, put together line by line.

import { diff } from "../vendor/codemirror.js";

/** What `mine` and `theirs` make of `base`, if no line was changed by both; otherwise null. */
export function together(base, mine, theirs) {
  const known = new Map();
  const coded = (lines) => lines.map((line) => {
    if (!known.has(line)) known.set(line, String.fromCharCode(0xe000 + known.size));
    return known.get(line);
  }).join("");
  const [old, one, two] = [base, mine, theirs].map((text) => text.split("\n"));
  const codes = [old, one, two].map(coded);
  if (known.size > 0x18ff) return null; // more different lines than there are characters to stand for them
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
