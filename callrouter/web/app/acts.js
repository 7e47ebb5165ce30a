// Acts of a supervisor: each is sent once, shows that it is under way, and the daemon's refusal stands
// beside what was clicked.

import { html, signal, useEffect, useRef, useState } from "../vendor/preact.js";
import { ask, Refusal } from "./api.js";
import { now } from "./live.js";
import { Dialogue, said } from "./parts.js";
import { count, t } from "./words.js";

const SLOW_MS = 1500;

/** What is under way, by its subject, such as `agent alice`: which act, and since when. */
const pending = signal(new Map());
/** Why the last act failed, as an error, by subject. It stays until it is closed or the next act begins. */
const refusals = signal(new Map());

const put = (map, key, value) => {
  const made = new Map(map.value);
  if (value === undefined) made.delete(key); else made.set(key, value);
  map.value = made;
};

/** What a failed request says to a person. Without an answer, the act may have been done or not. */
export const wordsOf = (error) => (error instanceof Refusal ? error.message : t("acts.no-answer"));

/** Do something about a subject, once: while one act is under way there is no other.
 * Returns the answer (true if it is empty), or false if it was refused. */
export async function act(subject, name, send, done = "") {
  if (pending.value.has(subject)) return false;
  put(pending, subject, { name, since: Date.now() });
  put(refusals, subject, undefined);
  try {
    const found = await send();
    if (done) said.value = { text: done, bad: false };
    return found ?? true;
  } catch (error) {
    put(refusals, subject, error);
    return false;
  } finally {
    put(pending, subject, undefined);
  }
}

export const busy = (subject) => pending.value.has(subject);
export const refusalOf = (subject) => {
  const error = refusals.value.get(subject);
  return error ? wordsOf(error) : "";
};
export const forget = (subject) => put(refusals, subject, undefined);

/** That an act is under way, and for how long if the link is slow. */
function Progress({ since }) {
  const late = Math.round((Math.max(now.value, Date.now()) - since) / 1000);
  const slow = Date.now() - since > SLOW_MS;
  return html` <span class="spinner" aria-hidden="true"></span>${slow ? html`<small role="status">${t("acts.waiting", { count: late })}</small>` : ""}`;
}

/** A button that acts on a subject. `sure` is a question to be answered first, `verb` the button that
 * says yes. It keeps the focus while the request is under way, and does nothing then. */
export function Do({ subject, to, method = "POST", body, send, done, sure: question, verb, kind = "", label, children, onDone, disabled = false }) {
  const name = `${method} ${to} ${JSON.stringify(body ?? {})}`;
  const running = pending.value.get(subject);
  const here = running?.name === name;
  const press = async () => {
    if (busy(subject) || disabled) return;
    if (question && !(await sure(question, verb))) return;
    const found = await act(subject, name, send ?? (() => ask(method, to, body)), done);
    if (found && onDone) onDone(found);
  };
  return html`<button type="button" class=${kind} aria-disabled=${Boolean(running) || disabled} aria-busy=${here} aria-label=${label} title=${label} onClick=${press}>
    ${children}${here && html`<${Progress} since=${running.since} />`}</button>`;
}

/** Buttons about one thing. When the one that has the focus is gone, because what it did is done, the focus
 * goes to the first of those that are there now. */
export function Controls({ children }) {
  const box = useRef(null);
  const inside = useRef(false);
  useEffect(() => {
    if (inside.current && document.activeElement === document.body) box.current.querySelector("button, a")?.focus({ preventScroll: true });
  });
  const leave = ({ target, relatedTarget }) => setTimeout(() => {
    if (target.isConnected && !(relatedTarget && box.current?.contains(relatedTarget))) inside.current = false; // gone elsewhere
  });
  return html`<span class="group controls" ref=${box} onFocusIn=${() => { inside.current = true; }} onFocusOut=${leave}>${children}</span>`;
}

/** The daemon's refusal of the last act on a subject, in its own words. */
export function Refused({ subject }) {
  const text = refusalOf(subject);
  return html`<span class="refused-place" aria-live="assertive">${text && html`<span class="refused"><bdi>${text}</bdi>
    <button type="button" class="plain" aria-label=${t("close")} onClick=${() => forget(subject)}>✕</button></span>`}</span>`;
}

// ---------------------------------------------------------------- asked first

const question = signal(null);

/** Ask whether something is meant. Returns a promise of the answer. */
export const sure = (text, verb) => new Promise((answer) => { question.value = { text, verb, answer }; });

/** The question that is open, if there is one. Stands once on the page. */
export function Sure() {
  const asked = question.value;
  if (!asked) return null;
  const close = (yes) => {
    if (question.value !== asked) return;
    question.value = null;
    asked.answer(yes);
  };
  return html`<${Dialogue} title=${t("acts.sure")} onClose=${() => close(false)}>
    <p>${asked.text}</p>
    <p class="buttons"><button type="button" class="danger" onClick=${() => close(true)}>${asked.verb}</button>
      <button type="button" onClick=${() => close(false)}>${t("acts.no")}</button></p></${Dialogue}>`;
}

// ---------------------------------------------------------------- several at once

/** Do the same for several subjects, one after the other, so that a slow link is not flooded. Stops when
 * the daemon does not answer. `items` are `{ id, subject }`. `useRun` gives the state and how to begin. */
export function useRun() {
  const [state, setState] = useState(null);
  const begin = async (items, send) => {
    if (state?.running) return [];
    const left = [];
    let stopped = false;
    for (const [n, item] of items.entries()) {
      setState({ running: true, done: n, all: items.length, refused: left.length });
      if (stopped || (await act(item.subject, "batch", () => send(item.id))) === false) left.push(item.id);
      const error = refusals.value.get(item.subject);
      stopped ||= error !== undefined && !(error instanceof Refusal);
    }
    setState({ running: false, done: items.length - left.length, all: items.length, refused: left.length });
    return left;
  };
  return [state, begin, () => setState(null)];
}

export function RunState({ state }) {
  return html`<span role="status">${state && (state.running
    ? html`<progress value=${state.done} max=${state.all} aria-label=${t("acts.progress")}></progress> ${t("acts.of", { done: count(state.done), all: count(state.all) })}`
    : state.refused ? html`<strong class="problem">${t("acts.some-refused", { count: state.refused })}</strong>` : t("acts.all-done", { count: state.all }))}</span>`;
}
