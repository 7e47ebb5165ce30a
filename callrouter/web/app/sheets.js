// What the forms show and change: the sections of the files as values, the reasons for which one cannot
// be changed, and the daemon's complaints about each.

import { computed, signal } from "../vendor/preact.js";
import { ask, session } from "./api.js";
import { begin, edit, files, folder, verdict } from "./drafts.js";
import { t } from "./words.js";
import { applied, UNREADABLE, YamlText } from "./yamltext.js";

export const HIDDEN = "•••";

/** What the daemon knows of the options: `GET /api/config/tables`; null: not known yet. */
export const known = signal(null);
export const learn = () => ask("GET", "/api/config/tables").then((found) => { known.value = found; }, () => undefined);

const parsed = new Map();
const whole = new Map();
/** The structure of a text; read again only if it has changed. */
export function structure(name, text) {
  const last = parsed.get(name);
  if (last?.text === text) return last;
  const made = new YamlText(text);
  parsed.set(name, made);
  if (!made.broken) whole.set(name, made);
  return made;
}

/** The structure that the forms show: while a line is half written, that of before. */
function readable(name, text) {
  const made = structure(name, text);
  return made.broken ? whole.get(name) ?? made : made;
}

session.subscribe(() => { parsed.clear(); whole.clear(); });

/** The name of the file in which a section stands, or would best stand. */
function placeOf(section) {
  const all = [...files.value.values()];
  const found = all.find((file) => readable(file.name, file.text).keys([]).includes(section))
    ?? all.find((file) => file.name === `${section}.yaml`) ?? all.find((file) => file.writable);
  return found?.name ?? `${section}.yaml`;
}

/** Where the mistakes are that the daemon has found: in the unsaved text, or else in what is saved. */
export const problems = computed(() => {
  const now = verdict.value;
  const found = [...(now.problems ?? []), ...(now.warnings ?? [])].map((item) => ({ severity: "error", ...item }));
  if (found.length || now.state !== "same") return found;
  return [...files.value.values()].flatMap((file) => file.problem?.problems ?? []).concat(known.value?.problems ?? []);
});

/** A section for the forms: its values, and how to change them. */
export function sheet(section) {
  const name = placeOf(section);
  const file = files.value.get(name);
  const yaml = readable(name, file?.text ?? "");
  const entries = new Map((known.value?.[section] ?? []).map((entry) => [entry.id, entry]));
  const change = (make) => {
    if (!file) begin(name);
    const text = files.value.get(name).text;
    edit(name, applied(text, make(new YamlText(text))));
  };
  return {
    section, name, yaml,
    ids: yaml.keys([section]),
    value: (path) => yaml.value([section, ...path]),
    set: (path, value, after) => change((now) => now.set([section, ...path], value, after)),
    remove: (path) => change((now) => now.remove([section, ...path])),
    change,
    place: (path) => yaml.place([section, ...path]),
    /** Why an entry cannot be changed; empty: it can. */
    why: (id) => whyNot(file, entries.get(id)),
    problems: (path) => problems.value.filter((item) => item.file === name && begins(pathOf(item, yaml), [section, ...path])),
  };
}

function whyNot(file, entry) {
  if (folder.value && !folder.value.writable) return folder.value.why_not_writable || t("tables.read-only");
  if (file?.problem) return t("tables.broken-file", { file: file.name });
  if (file && !file.writable) return t("tables.read-only");
  if (file && structure(file.name, file.text).broken) return t("tables.broken-text", { file: file.name });
  return entry && !entry.may_edit ? entry.why_not || t("tables.not-yours") : "";
}

/** Why a single value cannot be changed by a form; empty: it can. */
export function whyNotValue(value) {
  if (value === UNREADABLE) return t("tables.in-text");
  return JSON.stringify(value ?? "").includes(HIDDEN) ? t("tables.hidden") : "";
}

const begins = (path, start) => start.every((step, n) => String(path[n]) === String(step));

function pathOf(problem, yaml) {
  if (problem.path) return problem.path;
  let from = 0;
  for (let line = 1; line < problem.line; line += 1) from = yaml.text.indexOf("\n", from) + 1;
  return yaml.pathAt(from + Math.max(0, problem.column - 1));
}

/** The agents of a queue (or shift, or step) as [[id, level]], whichever way they are written. */
export function members(value) {
  if (Array.isArray(value)) return value.map((id) => [String(id), 1]);
  return value && typeof value === "object" ? Object.entries(value) : [];
}

/** Give an agent a level below a path, or take the agent out (null). Lists stay lists while all have 1. */
export function setMember(table, path, id, level) {
  const now = table.value(path);
  if (Array.isArray(now)) {
    const at = now.findIndex((item) => String(item) === id);
    if (level === null) { if (at >= 0) table.remove([...path, at]); return; }
    if (level === 1) { if (at < 0) table.set([...path, now.length], id); return; }
    const all = Object.fromEntries(members(now));
    table.set(path, { ...all, [id]: level });
  } else if (level === null) table.remove([...path, id]);
  else table.set([...path, id], level, ["name", "policy"]);
}
