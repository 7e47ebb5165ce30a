// Pieces that several views share.

import { html, signal, useEffect, useRef, useState } from "../vendor/preact.js";
import { ask } from "./api.js";
import { duration, language, LANGUAGES, t } from "./words.js";

/** What went wrong last, or was done; shown at the bottom and read out by screen readers. */
export const said = signal(null);

/** Do something that may be refused, and say so. Returns whether it was done. */
export async function attempt(action, done = "") {
  try {
    const found = await action();
    said.value = done ? { text: done, bad: false } : null;
    return found ?? true;
  } catch (error) {
    said.value = { text: error instanceof TypeError ? t("unreachable") : error.message, bad: true };
    return false;
  }
}

export function Toast() {
  const now = said.value;
  useEffect(() => {
    if (!now) return undefined;
    const timer = setTimeout(() => { if (said.value === now) said.value = null; }, now.bad ? 9000 : 4000);
    return () => clearTimeout(timer);
  }, [now]);
  return html`<div class="toast" role="status" aria-live="polite">
    ${now && html`<p class=${now.bad ? "bad" : ""}>${now.text}
      <button class="plain" onClick=${() => { said.value = null; }} aria-label=${t("close")}>✕</button></p>`}
  </div>`;
}

/** A button that sends a request and cannot be pressed twice while it does. */
export function Act({ to, body, done, children, kind = "", label, off = false, ask: question }) {
  const [busy, setBusy] = useState(false);
  const press = async () => {
    if (question && !confirm(question)) return;
    setBusy(true);
    await attempt(typeof to === "function" ? to : () => ask("POST", to, body), done);
    setBusy(false);
  };
  return html`<button class=${kind} disabled=${busy || off} onClick=${press} aria-label=${label}>${children}</button>`;
}

/** A dialogue above the page. Escape and a click outside close it; the focus goes back afterwards. */
export function Dialogue({ title, onClose, wide = false, children }) {
  const box = useRef(null);
  useEffect(() => {
    const before = document.activeElement;
    box.current.showModal();
    return () => before?.focus?.();
  }, []);
  return html`<dialog ref=${box} class=${wide ? "whole" : ""} onClose=${onClose} aria-label=${title}
      onClick=${(event) => { if (event.target === box.current) box.current.close(); }}>
    <header><h2>${title}</h2>
      <button class="plain" onClick=${() => box.current.close()} aria-label=${t("close")}>✕</button></header>
    <div class="inside">${children}</div>
  </dialog>`;
}

/** A phone number, which reads from left to right in every language. */
export const Num = ({ of, name }) => html`<bdi dir="ltr" class="number">${of || t("withheld")}</bdi>${name ? html` <bdi>${name}</bdi>` : ""}`;

const EXAMPLES = /([A-Za-z0-9*+>][\x20-\x7e…]*[A-Za-z0-9*…-])/;
const SPANS = /([\d:]+-[\d:.-]*)/;
/** A text of ours with examples of what can be written: they read from left to right in every language, and no line
 * ends within a date or a span of time. */
export function Mixed({ text }) {
  if (typeof text !== "string") return text;
  const whole = (part) => part.split(SPANS).map((item, n) => (n % 2 ? html`<span key=${n} class="nobr">${item}</span>` : item));
  if (LANGUAGES[language.value].dir === "ltr") return whole(text);
  return text.split(EXAMPLES).map((part, n) => (n % 2 ? html`<bdi key=${n} dir="ltr">${whole(part)}</bdi>` : part));
}

export const Time = ({ s }) => html`<span class="time"><bdi dir="ltr">${duration(s)}</bdi></span>`;

/** The states of an agent, in the order in which a supervisor looks for them, with their shapes. */
export const STATES = ["available", "ringing", "reserved", "on-call", "wrap-up", "paused", "offline"];
export const SHAPES = { available: "●", ringing: "◉", reserved: "◌", "on-call": "■", "wrap-up": "◧", paused: "❚❚", offline: "○" };
/** The word for a state: of `agent`, or of all who are in it. An agent is offline who is signed out, or none of whose phones can ring. */
export const stateName = (state, agent) => t(state !== "offline" ? `state.${state}` : !agent ? "state.not-there" : agent.signed_in ? "state.no-phone" : "state.offline");
export const State = ({ of, agent }) => html`<span class=${`state ${of}`}><span aria-hidden="true">${SHAPES[of]}</span> ${stateName(of, agent)}</span>`;

/** What can be reached by the keyboard in a row. */
const reached = (row) => [...row.querySelectorAll("a[href], button, input")].filter((item) => !item.closest("dialog"));

/** The list is one stop of the Tab key, however long it is: what is in one of its rows, between which the arrow keys go.
 * Returns what the list does with keys and focus. */
function useRows(box) {
  const here = useRef("");
  const rows = () => [...box.current.querySelectorAll(".row")];
  useEffect(() => {
    const all = rows().filter((row) => reached(row).length);
    const top = box.current.getBoundingClientRect().top;
    const current = all.find((row) => row.dataset.row === here.current) ?? all.find((row) => row.getBoundingClientRect().top >= top) ?? all[0];
    for (const row of all) for (const item of reached(row)) item.tabIndex = row === current ? 0 : -1;
  });
  const onFocusIn = ({ target }) => {
    const row = target.closest(".row");
    if (!row || target.closest("dialog") || row.dataset.row === here.current) return;
    here.current = row.dataset.row;
    for (const other of rows()) for (const item of reached(other)) item.tabIndex = other === row ? 0 : -1;
  };
  const onKeyDown = (event) => {
    const way = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const row = way && event.target.closest(".row");
    if (!row || event.target.closest("dialog")) return;
    event.preventDefault();
    const all = rows().filter((item) => reached(item).length);
    const next = all[all.indexOf(row) + way];
    if (!next) return;
    const items = reached(next);
    const to = items[Math.min(reached(row).indexOf(event.target), items.length - 1)];
    next.scrollIntoView({ block: "nearest" });
    to.focus({ preventScroll: true });
  };
  return { onFocusIn, onKeyDown };
}

/** The rows of a long list that are in sight. All rows are `height` pixels high. */
export function Window({ rows, height, children, label }) {
  const [from, setFrom] = useState(0);
  const box = useRef(null);
  const [seen, setSeen] = useState(30);
  const keys = useRows(box);
  useEffect(() => {
    const look = () => setSeen(Math.ceil(box.current.clientHeight / height) + 4);
    look();
    addEventListener("resize", look);
    return () => removeEventListener("resize", look);
  }, [height, rows.length]);
  const first = Math.max(0, Math.min(from, rows.length - 1) - 2);
  const shown = rows.slice(first, first + seen);
  return html`<div class="window" ref=${box} tabindex="0" role="list" aria-label=${label} ...${keys}
      onScroll=${(event) => setFrom(Math.floor(event.currentTarget.scrollTop / height))}>
    <div class="whole" ref=${(node) => node && (node.style.blockSize = `${rows.length * height}px`)}>
      ${shown.map((row, n) => html`<div key=${row.key ?? row.id} class="row" role="listitem" data-row=${row.key ?? row.id}
        ref=${(node) => node && (node.style.insetBlockStart = `${(first + n) * height}px`)}>${children(row)}</div>`)}
    </div></div>`;
}
