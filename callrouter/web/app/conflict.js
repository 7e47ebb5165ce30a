// Two people have changed one file: who changed what, both texts beside each other, and a choice in which
// nothing is lost.

import { html, useState } from "../vendor/preact.js";
import { both, files, settle } from "./drafts.js";
import { Compare } from "./editor.js";
import { lineChanges } from "./merging.js";
import { Dialogue } from "./parts.js";
import { phrased } from "./phrases.js";
import { Lines } from "./tablehistory.js";
import { moment, t } from "./words.js";

const progress = new Map(); // what was put together so far, so that closing the dialogue loses none of it

/** What is known of the other person's change, in words. */
function Theirs({ newer, base }) {
  const lines = newer.text === null ? [] : lineChanges(base, newer.text);
  return html`<div class="theirs">
    <p>${newer.who ? t("tables.changed-by", { who: newer.who, time: newer.at ? moment(newer.at) : "" }) : t("tables.changed-by-other")}</p>
    ${newer.changes?.length > 0 && html`<ul>${phrased(newer.changes, newer.changes_phrases).map((line) => html`<li key=${line}><bdi>${line}</bdi></li>`)}</ul>`}
    ${lines.length > 0 && html`<${Lines} lines=${lines.slice(0, 60)} />`}</div>`;
}

/** The dialogue about a file that has been changed by another person since it was read. */
export function Conflict({ name, onClose }) {
  const file = files.value.get(name);
  const kept = `${name}:${file?.newer?.etag}:${file?.text}`;
  const [merged, setMerged] = useState(progress.get(kept) ?? null);
  if (!file?.newer) return null;
  const { newer } = file;
  const joined = both(file);
  const end = (text) => { settle(name, text); progress.clear(); onClose(); };
  const write = (text) => { progress.set(kept, text); setMerged(text); };
  if (newer.text === null) {
    return html`<${Dialogue} title=${t("tables.conflict", { file: name })} onClose=${onClose} wide=${true}>
      <${Theirs} newer=${newer} base=${file.base} /><p>${t("tables.file-gone")}</p>
      <p class="buttons"><button class="main" onClick=${() => end(file.text)}>${t("tables.keep-mine")}</button>
        <button onClick=${() => end("")}>${t("tables.take-theirs")}</button></p></${Dialogue}>`;
  }
  const mine = progress.get(kept) ?? joined ?? file.text;
  return html`<${Dialogue} title=${t("tables.conflict", { file: name })} onClose=${onClose} wide=${true}>
    <${Theirs} newer=${newer} base=${file.base} />
    <p>${joined === null ? t("tables.clash") : t("tables.no-clash")}</p>
    <p class="buttons">
      ${joined !== null && html`<button class="main" onClick=${() => end(merged ?? joined)}>${t("tables.take-both")}</button>`}
      ${joined === null && html`<button class="main" disabled=${merged === null} onClick=${() => end(merged)}>${t("tables.use-merged")}</button>`}
      <button onClick=${() => end(file.text)}>${t("tables.keep-mine")}</button>
      <button onClick=${() => end(newer.text)}>${t("tables.take-theirs")}</button>
      <button onClick=${onClose}>${t("tables.decide-later")}</button></p>
    <p class="below">${t("tables.compare-help")}</p>
    <div class="compare-beside" dir="ltr"><div class="compare-heads"><strong>${t("tables.theirs")}</strong><strong>${joined === null ? t("tables.mine") : t("tables.both")}</strong></div>
    <${Compare} theirs=${newer.text} mine=${mine} onInput=${write} labels=${[t("tables.theirs"), t("tables.mine")]} /></div>
  </${Dialogue}>`;
}
