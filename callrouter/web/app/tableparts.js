// Pieces of the tables: choosing an entry, adding one.

import { html, useState } from "../vendor/preact.js";
import { Doing } from "./fields.js";
import { folder } from "./drafts.js";
import { Dialogue } from "./parts.js";
import { rename } from "./renaming.js";
import { count, t } from "./words.js";

const NAME = /^[a-z0-9][a-z0-9_-]{0,63}$/;

/** A name for a new entry, or a new one for an old one. */
export function AddEntry({ title, taken, onAdd, onClose }) {
  const [name, setName] = useState("");
  const wrong = !name ? "" : !NAME.test(name) ? t("tables.name-rule") : taken.includes(name) ? t("tables.name-taken") : "";
  const send = (event) => { event.preventDefault(); if (name && !wrong) { onAdd(name); onClose(); } };
  return html`<${Dialogue} title=${title} onClose=${onClose}><form onSubmit=${send}>
    <label>${t("tables.id")}<input dir="ltr" value=${name} autofocus autocapitalize="none" spellcheck=${false} aria-describedby="name-rule" aria-invalid=${Boolean(wrong)} onInput=${(event) => setName(event.currentTarget.value.trim())} /></label>
    <p id="name-rule" class=${wrong ? "problem" : "below"}>${wrong || t("tables.name-rule")}</p>
    <p class="buttons"><button class="main" disabled=${!name || Boolean(wrong)}>${title}</button></p></form></${Dialogue}>`;
}

/** Pixels below which parts of a form are folded away. */
export const NARROW = 600;

/** A part of a form that can be folded away; it opens by itself where something in it is wrong. */
export function Part({ title, open, found = [], children }) {
  const wrong = found.some((item) => item.severity !== "warning");
  return html`<details class="part" open=${open || wrong}><summary>${title}${wrong && html` <span class="bad" role="img" aria-label=${t("tables.has-problems")}>▲</span>`}</summary>
    <div role="group" aria-label=${title}>${children}</div></details>`;
}

/** Gives an entry another id; what is known of it stays its own. */
export function Rename({ table, id, what, locked, onChoose }) {
  const [open, setOpen] = useState(false);
  const why = locked || (folder.value?.may?.queues ? t("tables.limited") : "");
  return html`<${Doing} why=${why} onClick=${() => setOpen(true)}>${t("tables.rename")}</${Doing}>
    ${open && html`<${AddEntry} title=${t(`tables-rename.${what}`, { name: id })} taken=${table.ids} onAdd=${(name) => { rename(table.section, id, name); onChoose(name); }} onClose=${() => setOpen(false)} />`}`;
}

/** Why an entry cannot be changed, above its form; what is locked there refers to it. */
export const Locked = ({ why }) => (why ? html`<p class="locked" role="note" id="locked-note"><span aria-hidden="true">🔒︎</span> <bdi>${why}</bdi></p>` : null);

/** The entries of a section, of which one is chosen. Arrow keys go through them. */
export function Picker({ table, chosen, onChoose, onAdd, what }) {
  const [search, setSearch] = useState("");
  const [adding, setAdding] = useState(false);
  const wanted = search.trim().toLowerCase();
  const nameOf = (id) => String(table.value([id, "name"]) ?? id);
  const shown = table.ids.filter((id) => !wanted || `${id} ${nameOf(id)}`.toLowerCase().includes(wanted));
  const step = (event) => {
    const way = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const next = way && shown[shown.indexOf(chosen) + way];
    if (!next) return;
    event.preventDefault();
    onChoose(next);
    event.currentTarget.querySelector(`[data-id="${CSS.escape(next)}"]`)?.focus();
  };
  const locked = folder.value?.may?.queues ? t("tables.limited") : table.why("");
  return html`<nav class="picker" aria-label=${t(`tables-tab.${table.section}`)}>
    ${table.ids.length > 8 && html`<label class="search"><span class="hidden">${t("search")}</span><input type="search" placeholder=${t("search")} value=${search} onInput=${(event) => setSearch(event.currentTarget.value)} /></label>`}
    <ul class="plain" onKeyDown=${step}>${shown.slice(0, 300).map((id) => html`<li key=${id}><button type="button" data-id=${id} class="pick" aria-current=${id === chosen ? "true" : undefined} tabindex=${id === chosen || !shown.includes(chosen) ? 0 : -1} onClick=${() => onChoose(id)}>
      <bdi>${nameOf(id)}</bdi>${table.problems([id]).some((item) => item.severity !== "warning") && html` <span class="bad" title=${t("tables.has-problems")} role="img" aria-label=${t("tables.has-problems")}>▲</span>`}</button></li>`)}</ul>
    ${shown.length > 300 && html`<p class="more">${t("more", { count: shown.length - 300 })}</p>`}
    ${!shown.length && html`<p class="below">${t("tables.none")}</p>`}
    <${Doing} why=${locked} onClick=${() => setAdding(true)}>+ ${t(`tables-add.${what}`)}</${Doing}>
    ${adding && html`<${AddEntry} title=${t(`tables-add.${what}`)} taken=${table.ids} onAdd=${onAdd} onClose=${() => setAdding(false)} />`}
    <p class="hidden" role="status">${count(shown.length)}</p>
  </nav>`;
}
