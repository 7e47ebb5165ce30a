// The controls of the forms: each changes one value in the text of a file.

import { html, useId, useState } from "../vendor/preact.js";
import { Mixed } from "./parts.js";
import { hintOf, messageOf } from "./phrases.js";
import { known, whyNotValue } from "./sheets.js";
import { t } from "./words.js";

const DIGITS = /[٠-٩۰-۹]/g;
const ascii = (text) => text.replace(DIGITS, (digit) => String(digit.charCodeAt(0) & 15));

/** A value as it stands in an input. */
export function written(value, kind) {
  if (value === undefined || value === null || typeof value === "symbol") return "";
  if (kind === "levels") return Object.entries(value).map(([name, level]) => `${name} ${level}`).join(", ");
  return Array.isArray(value) ? value.join(", ") : String(value);
}

/** What was typed, as a value for the file; undefined: the key is not wanted. */
export function typed(text, kind) {
  const raw = kind === "text" ? text.trim() : ascii(text.trim());
  if (!raw) return undefined;
  if (kind === "number" || kind === "duration") return /^\d{1,9}$/.test(raw) ? Number(raw) : raw;
  if (kind === "list") return parts(raw);
  if (kind === "one-or-list") { const all = parts(raw); return all.length > 1 ? all : all[0]; }
  if (kind === "levels") {
    return Object.fromEntries(parts(raw).map((part) => {
      const [name, level] = part.split(/[\s:=]+/);
      return [name, /^\d{1,9}$/.test(level ?? "") ? Number(level) : level ?? 1];
    }));
  }
  return raw;
}

const parts = (text) => text.split(/[,،，、\n]/).map((part) => part.trim()).filter(Boolean);

/** What stands below a control: why it cannot be used, what is wrong with it, or what it is for. */
function Below({ id, why, found, help }) {
  return html`<small id=${id} class="below">
    ${why && html`<span class="locked"><span aria-hidden="true">🔒︎</span> ${why}</span>`}
    ${!why && found.map((item) => html`<span key=${item.message} class=${item.severity === "warning" ? "warning" : "problem"}><bdi>${messageOf(item)}</bdi>${item.hint && html` <bdi>(${hintOf(item)})</bdi>`}</span>`)}
    ${!why && !found.length && html`<${Mixed} text=${help} />`}</small>`;
}

/** What a control shows and does for a value of a table. */
function bound({ table, path, locked, kind, fallback }) {
  const value = table.value(path);
  const why = whyNotValue(value);
  const option = known.value?.options?.[`${table.section}.*.${path.slice(1).map((step) => (typeof step === "number" ? "*" : step)).join(".")}`];
  return { value, why, off: Boolean(why || locked), title: why || locked || undefined, told: locked ? "locked-note" : undefined, found: table.problems(path), empty: fallback ?? option?.default ?? "", kind, option };
}

/** A line of text for a value; empty: the default holds. */
export function Line(props) {
  const { table, path, label, help, kind = "text", after, list, onFocus, wide } = props;
  const { value, why, off, title, told, found, empty } = bound(props);
  const [raw, setRaw] = useState(null);
  const id = useId();
  const input = (event) => {
    setRaw(event.currentTarget.value);
    const wanted = typed(event.currentTarget.value, kind);
    if (wanted === undefined) table.remove(path); else table.set(path, wanted, after);
  };
  return html`<div class=${`field ${wide ? "wide-field" : ""}`}><label for=${`${id}-in`}>${label}</label>
    <input id=${`${id}-in`} value=${raw ?? written(value, kind)} placeholder=${empty} disabled=${off} title=${title} list=${list} spellcheck=${false} autocomplete="off"
      dir=${kind === "text" ? "auto" : "ltr"} inputmode=${kind === "number" ? "numeric" : undefined}
      aria-describedby=${told ?? id} aria-invalid=${found.some((item) => item.severity !== "warning")}
      onInput=${input} onFocus=${() => onFocus?.(path)} onBlur=${() => setRaw(null)} />
    <${Below} id=${id} why=${why} found=${found} help=${help} /></div>`;
}

/** A menu for a value: `options` are [value, text]; the first, with an empty value, is the default. */
export function Menu(props) {
  const { table, path, label, help, options, after, onFocus } = props;
  const { value, why, off, title, told, found } = bound(props);
  const id = useId();
  const now = value === undefined || value === null ? "" : String(value);
  const all = options.some(([word]) => word === now) ? options : [...options, [now, now]];
  const change = (event) => {
    const word = event.currentTarget.value;
    const wanted = { true: true, false: false }[word] ?? word;
    if (word === "") table.remove(path); else table.set(path, wanted, after);
  };
  return html`<div class="field"><label for=${`${id}-in`}>${label}</label>
    <select id=${`${id}-in`} value=${now} disabled=${off} title=${title} aria-describedby=${told ?? id} onChange=${change} onFocus=${() => onFocus?.(path)}>
      ${all.map(([word, text]) => html`<option key=${word} value=${word} selected=${word === now}>${text}</option>`)}</select>
    <${Below} id=${id} why=${why} found=${found} help=${help} /></div>`;
}

/** Yes, no, or the default. */
export const Choice = (props) => html`<${Menu} ...${props} options=${[["", t("tables.by-default", { value: t(props.usual ? "tables.yes" : "tables.no") })], ["true", t("tables.yes")], ["false", t("tables.no")]]} />`;

/** A button that says why it cannot be used. */
export function Doing({ why, onClick, children, kind = "", label }) {
  const id = useId();
  return html`<button type="button" class=${kind} aria-label=${label} aria-disabled=${Boolean(why)} aria-describedby=${why ? id : undefined} title=${why || undefined}
    onClick=${() => { if (!why) onClick(); }}>${children}</button>${why && html`<span class="hidden" id=${id}>${why}</span>`}`;
}
