// The texts of the configuration files while they are edited here: what is new in them, what the
// daemon says to it, and what others have saved. Unsaved text is kept in the browser as well, so that a
// reload, a log-out or a cut of the network loses none of it.

import { batch, computed, effect, signal } from "../vendor/preact.js";
import { ask, Refusal, session } from "./api.js";
import { connected } from "./live.js";
import { together } from "./merging.js";

const CHECK_AFTER = 350;
const KEEP_AFTER = 250;
const LOOK_EVERY = 5000;
const KEPT = "callrouter-drafts:";

/** What the daemon says about the folder: `GET /api/config/files`; null: not known yet. */
export const folder = signal(null);
/** Whether all files have been read. */
export const ready = signal(false);
/** Files by name: {name, base, etag, text, writable, newer, problem}. `base` is the text that was read,
 * with its `etag`; `newer` what another person has saved since, {etag, text, who, at, changes, changes_phrases}. */
export const files = signal(new Map());
/** The files with unsaved changes. */
export const changed = computed(() => [...files.value.values()].filter((file) => file.text !== file.base));
/** What the daemon says about the unsaved text: {state, problems, warnings, diff, held, refused}; state is
 * "same", "checking", "checked", "offline" or "failed" (with `message`). */
export const verdict = signal({ state: "same" });
/** What a person should know: [{kind, name, at?, who?}]; kinds are those of the catalogue's `tables-note.`. */
export const notes = signal([]);
/** Why the files could not be read at all, as a sentence. */
export const trouble = signal("");

let owner = null; // whose texts these are
let secretive = true; // whether they may have secrets in them
let ours = false; // whether what is new on disk is this person's own doing
let looking = null; // what reads the folder at this moment
let judged = ""; // what was on disk when it was last judged
let begun = 0; // of the check that is under way
const timers = {};

const later = (name, wait, action) => { clearTimeout(timers[name]); timers[name] = setTimeout(action, wait); };
const put = (name, part) => { files.value = new Map(files.value).set(name, { ...files.value.get(name), ...part }); };
export const note = (kind, name, more = {}) => { notes.value = [...notes.value.filter((item) => item.kind !== kind || item.name !== name), { kind, name, ...more }]; };
export const read = (item) => { notes.value = notes.value.filter((other) => other !== item); };

/** Change the text of a file. */
export function edit(name, text) {
  if (files.value.get(name)?.text === text) return;
  put(name, { text });
  changedHere();
}

function changedHere() {
  later("keep", KEEP_AFTER, keepAll);
  later("check", CHECK_AFTER, check);
  if (verdict.value.state !== "offline") verdict.value = { ...verdict.value, state: changed.value.length ? "checking" : "same" };
}

/** Take the changes of a file back. */
export function discard(name) {
  const file = files.value.get(name);
  put(name, file.newer ? { ...agreed(file.newer), newer: null } : { text: file.base });
  changedHere();
}

const agreed = ({ etag, text }) => ({ base: text ?? "", text: text ?? "", etag });

/** Read all files, and what was not saved before. */
export async function open() {
  const who = session.value?.user;
  if (!who) return;
  if (owner !== who) batch(() => { owner = who; files.value = new Map(); notes.value = []; ready.value = false; verdict.value = { state: "same" }; });
  secretive = session.value.role === "admin";
  await look();
}

/** See what is on disk now; takes up what is new there, except where something is unsaved here. */
export function look() {
  looking ??= lookOnce().finally(() => { looking = null; });
  return looking;
}

/** Do what changes the files for this person, and take up what it made of them. */
export async function byUs(act) {
  ours = true;
  try {
    const done = await act();
    await looking; // it may have begun before
    await look();
    return done;
  } finally { ours = false; }
}

async function lookOnce() {
  try {
    folder.value = await ask("GET", "/api/config/files");
    trouble.value = "";
  } catch (error) {
    if (!folder.value) trouble.value = error instanceof Refusal ? error.message : "offline";
    return;
  }
  const there = new Map(folder.value.files.map((file) => [file.name, file]));
  const stored = files.value.size ? {} : restore();
  for (const found of there.values()) {
    const own = files.value.get(found.name);
    if (own && own.etag === found.etag && !own.problem) put(found.name, { writable: found.writable, newer: null });
    else if (!own || own.newer?.etag !== found.etag) await take(found, stored[found.name]);
  }
  for (const [name, { base, etag, text, at }] of Object.entries(stored)) {
    if (there.has(name) || text === base) continue; // what is left is of a file that has gone, or was never saved
    put(name, { name, base, etag, text, writable: true, newer: etag ? { etag: "", text: null } : null, problem: null });
    note("restored", name, { at });
  }
  for (const file of files.value.values()) {
    if (there.has(file.name) || (file.etag === "" && !file.newer)) continue;
    if (file.text === file.base) { const made = new Map(files.value); made.delete(file.name); files.value = made; note("gone", file.name); }
    else if (file.newer?.etag !== "") put(file.name, { newer: { etag: "", text: null } });
  }
  ready.value = true;
  const now = folder.value.files.map((file) => `${file.name} ${file.etag} ${file.problems}`).join("\n");
  if (verdict.value.state === "offline" || (changed.value.length && verdict.value.state === "same") || now !== judged) check();
  judged = now;
}

async function take(found, stored) {
  let now;
  try {
    now = await ask("GET", `/api/config/files/${encodeURIComponent(found.name)}`);
  } catch (error) {
    if (!(error instanceof Refusal) || !session.value) return;
    const own = files.value.get(found.name);
    // It was broken by hand so that nothing can be hidden in it; what is unsaved here stays.
    put(found.name, { ...(own ?? { name: found.name, base: "", text: "", etag: found.etag }), writable: false,
      problem: { text: error.message, problems: error.problem.problems ?? [] } });
    return;
  }
  const own = files.value.get(found.name); // of now, not of before the request
  if (own && own.etag === now.etag && !own.problem) return;
  const text = unix(now.text);
  const windows = now.text.includes("\r\n");
  const fresh = { name: found.name, base: text, text, etag: now.etag, windows, writable: now.writable, newer: null, problem: null };
  if (own && own.text !== own.base && own.text !== text) {
    put(found.name, { newer: { etag: now.etag, text, ...(await whoChanged(found.name, found.modified)) }, problem: null, writable: now.writable });
  } else if (own) {
    put(found.name, fresh);
    if (!ours && own.base !== text && own.text !== text) note(found.problems ? "broken-outside" : "changed-outside", found.name, await whoChanged(found.name, found.modified));
  } else if (stored && stored.text !== text) {
    const newer = stored.etag === now.etag ? null : { etag: now.etag, text, ...(await whoChanged(found.name, found.modified)) };
    put(found.name, { ...fresh, text: stored.text, base: newer ? stored.base : text, etag: newer ? stored.etag : now.etag, newer });
    note("restored", found.name, { at: stored.at });
  } else put(found.name, fresh);
}

const millis = (at) => (typeof at === "number" ? at * 1000 : Date.parse(at));

/** Who made a file what it is now, if the history knows and may be seen; it does not know of text that has
 * never been in force. */
async function whoChanged(name, modified) {
  try {
    const found = (await ask("GET", "/api/config/history")).changes.find((change) => change.files.includes(name));
    if (found && millis(found.at) >= millis(modified) - 1000) return { who: found.who, at: found.at, changes: found.changes, changes_phrases: found.changes_phrases };
  } catch { /* then it stays unknown */ }
  return { at: modified };
}

const unix = (text) => text.replaceAll("\r\n", "\n");
const written = (file) => (file.windows ? file.text.replaceAll("\n", "\r\n") : file.text);

/** Let the daemon judge what is unsaved, or what is wrong on disk. */
async function check() {
  const own = (begun += 1);
  if (!session.value) return;
  if (!changed.value.length && !folder.value?.files.some((file) => file.problems)) { verdict.value = { state: "same" }; return; }
  const texts = Object.fromEntries(changed.value.map((file) => [file.name, written(file)]));
  try {
    const found = await ask("POST", "/api/config/draft", { files: texts });
    if (own === begun) verdict.value = { ...found, state: "checked" };
  } catch (error) {
    if (own !== begun) return;
    const busy = error instanceof Refusal && [429, 503].includes(error.status);
    verdict.value = { ...verdict.value, state: error instanceof Refusal ? "failed" : "offline", message: error.message };
    if (busy) later("check", 3000, check);
  }
}

/** Save everything that is unsaved, all or nothing. Returns what the daemon answered. Throws `Refusal`;
 * after one of the kind "changed-since" the file has its `newer`. */
export async function save(confirm = false) {
  const sent = changed.value.map((file) => ({ name: file.name, text: written(file), etag: file.etag, own: file.text }));
  let answer;
  try {
    answer = await ask("POST", "/api/config/files", { files: sent.map(({ name, text, etag }) => ({ name, text, etag })), confirm });
  } catch (error) {
    if (error.kind === "changed-since") {
      const { file, etag, text, who, at, changes, changes_phrases } = error.problem;
      put(file, { newer: { etag, text: text === null ? null : unix(text), who, at, changes, changes_phrases } });
    } else if (error.kind === "config-mistakes") verdict.value = { ...verdict.value, ...error.problem, state: "checked" };
    else if (!(error instanceof Refusal)) verdict.value = { ...verdict.value, state: "offline" };
    throw error;
  }
  batch(() => { for (const { name, own } of sent) put(name, { base: own, etag: answer.etags[name], newer: null }); });
  changedHere();
  keepAll();
  return answer;
}

/** Settle a concurrent change of a file: go on from what is saved now, with this text. */
export function settle(name, text) {
  const { newer } = files.value.get(name);
  put(name, { base: newer.text ?? "", etag: newer.etag, text, newer: null });
  changedHere();
}

/** What both made of a file, if their changes do not touch each other; otherwise null. */
export const both = (file) => (file.newer?.text ? together(file.base, file.text, file.newer.text) : null);

/** Begin a file that is not there yet. */
export function begin(name) {
  put(name, { name, base: "", text: "", etag: "", writable: true, newer: null, problem: null });
}

// What an administrator sees has secrets in it, so it stays within this tab.
const places = () => (secretive ? [sessionStorage] : [sessionStorage, localStorage]);

function keepAll() {
  clearTimeout(timers.keep);
  if (!owner || !files.value.size) return;
  const kept = Object.fromEntries(changed.value.map(({ name, base, etag, text }) => [name, { base, etag, text, at: new Date().toISOString() }]));
  for (const place of places()) {
    try {
      if (changed.value.length) place.setItem(KEPT + owner, JSON.stringify(kept)); else place.removeItem(KEPT + owner);
    } catch { /* a private window, or no room: the text is still on the page */ }
  }
}

function restore() {
  for (const place of places()) {
    try {
      const found = JSON.parse(place.getItem(KEPT + owner));
      if (found) return found;
    } catch { /* nothing that can be read is nothing */ }
  }
  return {};
}

/** Look again and again, as long as the view is open. Returns what ends it. */
export function follow() {
  const timer = setInterval(() => { if (!document.hidden) look(); }, LOOK_EVERY);
  const end = effect(() => { if (connected.value) open(); });
  // What is kept beyond this tab needs no question.
  const leaving = (event) => { keepAll(); if (secretive && changed.value.length) event.preventDefault(); };
  addEventListener("beforeunload", leaving);
  addEventListener("pagehide", keepAll);
  return () => {
    clearInterval(timer);
    end();
    removeEventListener("beforeunload", leaving);
    removeEventListener("pagehide", keepAll);
    keepAll();
  };
}

session.subscribe((person) => {
  if (person) return;
  keepAll();
  batch(() => { files.value = new Map(); folder.value = null; notes.value = []; ready.value = false; });
});
