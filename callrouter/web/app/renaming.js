// Another name for a queue or an agent: its key, a note of the former name, so that calls, states and figures follow, and
// every place in the files that names it.

import { edit, files } from "./drafts.js";
import { structure } from "./sheets.js";
import { applied } from "./yamltext.js";

const WORDS = { queues: ["queue", "queues"], agents: ["agent"] };

/** The paths of all values in a value, the innermost last. */
function* paths(value, path = []) {
  if (!value || typeof value !== "object") return;
  for (const [key, item] of Object.entries(value)) {
    const next = [...path, Array.isArray(value) ? Number(key) : key];
    yield [next, item];
    yield* paths(item, next);
  }
}

/** Whether a place names an entry of a section as a key, such as an agent's level in a queue. */
const isKey = (section, path) => section === "agents" && path[0] === "queues" && path.length > 2 && path.at(-2) === "agents" && typeof path.at(-1) === "string";

/** What stands at a place under another name; undefined: it does not name the entry. */
function under(section, path, value, old, name) {
  const [key, above] = typeof path.at(-1) === "number" ? [path.at(-2), true] : [path.at(-1), false];
  if (value === old && WORDS[section].includes(key)) return name;
  if (value === old && section === "agents" && key === "agents" && above) return name;
  return section === "queues" && value === `queue:${old}` ? `queue:${name}` : undefined;
}

/** The changes of one file's structure. */
export function renamedIn(yaml, section, old, name, former) {
  const found = [];
  for (const [path, value] of paths(yaml.value([]))) {
    const entry = path.length === 2 && path[0] === section && path[1] === old;
    if (entry || (isKey(section, path) && path.at(-1) === old)) found.push(...yaml.rename(path, name));
    else if (path.at(-1) !== "renamed_from") {
      const now = under(section, path, value, old, name);
      if (now !== undefined) found.push(...yaml.set(path, now));
    }
  }
  if (yaml.keys([section]).includes(old)) {
    if (former === name) found.push(...yaml.remove([section, old, "renamed_from"]));
    else found.push(...yaml.set([section, old, "renamed_from"], former, ["name"]));
  }
  return found;
}

/** Give an entry of a section another name, in all files. */
export function rename(section, old, name) {
  const all = [...files.value.values()];
  const home = all.find((file) => structure(file.name, file.text).keys([section]).includes(old));
  // Renamed twice before it was saved, it still comes from what is in force.
  const saved = structure(`${home.name} as saved`, home.base).keys([section]).includes(old);
  const former = saved ? old : structure(home.name, home.text).value([section, old, "renamed_from"]) ?? old;
  for (const file of all) {
    const changes = renamedIn(structure(file.name, file.text), section, old, name, former);
    if (changes.length) edit(file.name, applied(file.text, changes));
  }
}
