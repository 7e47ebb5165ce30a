// What happened to the files while they are edited: by others, by hand, or to the network.

import { html, useState } from "../vendor/preact.js";
import { ask } from "./api.js";
import { byUs, changed, files, folder, notes, read, verdict } from "./drafts.js";
import { connected } from "./live.js";
import { attempt } from "./parts.js";
import { phrased } from "./phrases.js";
import { RollBack } from "./tablehistory.js";
import { moment, t } from "./words.js";

function Note({ item }) {
  const words = { file: item.name, who: item.who ?? "", time: item.at ? moment(item.at) : "" };
  const lines = item.changes ? phrased(item.changes, item.changes_phrases) : (item.lines ?? []);
  return html`<div class="notice" role="status"><p>${t(`tables-note.${item.kind}`, words)}
      ${item.who && html` <small>${t("tables.changed-by", words)}</small>`}</p>
    ${lines.length > 0 && html`<ul>${lines.map((line) => html`<li key=${line}><bdi>${line}</bdi></li>`)}</ul>`}
    <button onClick=${() => read(item)}>${t("tables.understood")}</button></div>`;
}

/** What is wrong with the files on disk, and ways out of it. */
function OnDisk({ onBack }) {
  const state = folder.value?.state;
  if (state === "held") {
    return html`<div class="notice warn" role="alert"><p>${t("tables.disk-held")}</p>
      <button onClick=${() => attempt(() => byUs(() => ask("POST", "/api/config/reload", { confirm: true })), t("tables.confirmed"))}>${t("tables.confirm-held")}</button>
      <button onClick=${onBack}>${t("tables.put-back")}</button></div>`;
  }
  const broken = folder.value?.files.filter((file) => file.problems) ?? [];
  if (state !== "bad" && !broken.length) return null;
  return html`<div class="notice bad" role="alert"><p>${t("tables.disk-bad", { files: broken.map((file) => file.name).join(", ") })}</p>
    <button onClick=${onBack}>${t("tables.put-back")}</button></div>`;
}

export function Notices({ onConflict }) {
  const [back, setBack] = useState(false);
  const cut = !connected.value || verdict.value.state === "offline";
  return html`<div class="notices">
    ${cut && html`<div class="notice warn" role="alert"><p>${t(changed.value.length ? "tables.cut-unsaved" : "tables.cut")}</p></div>`}
    <${OnDisk} onBack=${() => setBack(true)} />
    ${[...files.value.values()].filter((file) => file.newer).map((file) => html`<div key=${file.name} class="notice bad" role="alert">
      <p>${t("tables.conflict", { file: file.name })} ${file.newer.who && html`<small>${t("tables.changed-by", { who: file.newer.who, time: file.newer.at ? moment(file.newer.at) : "" })}</small>`}</p>
      <button class="main" onClick=${() => onConflict(file.name)}>${t("tables.see-both")}</button></div>`)}
    ${notes.value.map((item) => html`<${Note} key=${`${item.kind}:${item.name}`} item=${item} />`)}
    ${back && html`<${RollBack} number=${null} onClose=${() => setBack(false)} />`}
  </div>`;
}
