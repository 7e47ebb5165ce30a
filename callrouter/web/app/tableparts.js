// Pieces of the tables: choosing an entry, adding one.

import { html, useState } from "../vendor/preact.js";
import { Doing } from "./fields.js";
import { folder } from "./drafts.js";
import { Dialogue } from "./parts.js";
import { count, t } from "./words.js";

const NAME = /^[a-z0-9][a-z0-9_-]{0,63}$/;

/** A name for a new entry. */
export function AddEntry({ what, taken, onAdd, onClose }) {
  const [name, setName] = useState("");
  const wrong = !name ? "" : !NAME.test(name) ? t("tables.name-rule") : taken.includes(name) ? t("tables.name-taken") : "";
  const send = (event) => { event.preventDefault(); if (name && !wrong) { onAdd(name); onClose(); } };
  return html`<${Dialogue} title=${t(`tables-add.${what}`)} onClose=${onClose}><form onSubmit=${send}>
    <label>${t("tables.id")}<input dir="ltr" value=${name} autofocus autocapitalize="none" spellcheck=${false} aria-describedby="name-rule" aria-invalid=${Boolean(wrong)} onInput=${(event) => setName(event.currentTarget.value.trim())} /></label>
    <p id="name-rule" class=${wrong ? "problem" : "below"}>${wrong || t("tables.name-rule")}</p>
    <p class="buttons"><button class="main" disabled=${!name || Boolean(wrong)}>${t(`tables-add.${what}`)}</button></p></form></${Dialogue}>`;
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
    ${adding && html`<${AddEntry} what=${what} taken=${table.ids} onAdd=${onAdd} onClose=${() => setAdding(false)} />`}
    <p class="hidden" role="status">${count(shown.length)}</p>
  </nav>`;
}
