// What would change, in words, and saving it.

import { html, useState } from "../vendor/preact.js";
import { changed, discard, note, save, verdict } from "./drafts.js";
import { Doing } from "./fields.js";
import { Dialogue, said } from "./parts.js";
import { messageOf, phrased } from "./phrases.js";
import { learn } from "./sheets.js";
import { t } from "./words.js";

const Words = ({ lines, kind = "" }) => html`<ul class=${kind}>${lines.map((line) => html`<li key=${line}><bdi>${line}</bdi></li>`)}</ul>`;

/** The sentence about what the daemon thinks of the unsaved text. */
function standing(now) {
  if (now.state === "offline") return ["warn", t("tables.offline")];
  if (now.state === "failed") return ["bad", now.message];
  if (now.state === "checking") return ["", t("tables.checking")];
  const mistakes = now.problems?.length ?? 0;
  if (mistakes) return ["bad", t("tables.mistakes", { count: mistakes })];
  if (now.refused?.length) return ["bad", t("tables.refused")];
  return ["good", now.diff?.length ? t("tables.would-change") : t("tables.only-text")];
}

/** Why the text cannot be saved now; empty: it can. */
function whyNotSaved(now) {
  if (changed.value.some((file) => file.newer)) return t("tables.settle-first");
  if (now.state === "offline") return t("tables.offline");
  if (now.problems?.length) return t("tables.mistakes", { count: now.problems.length });
  return now.refused?.length ? t("tables.refused") : "";
}

export function SaveBar({ onConflict }) {
  const [busy, setBusy] = useState(false);
  const [held, setHeld] = useState(null);
  const now = verdict.value;
  const names = changed.value.map((file) => file.name);
  const send = async (confirm = false) => {
    setBusy(true);
    try {
      const done = await save(confirm);
      setHeld(null);
      said.value = { text: t("tables.saved"), bad: false };
      const more = [...phrased(done.needs_restart ?? [], done.needs_restart_phrases), ...phrased(done.set_aside ?? [], done.set_aside_phrases)];
      if (more.length) note("after-save", "", { lines: more });
      learn();
    } catch (error) {
      if (error.kind === "removals") setHeld(phrased(error.problem.held ?? [], error.problem.held_phrases));
      else if (error.kind === "changed-since") { setHeld(null); onConflict(error.problem.file); }
      else said.value = { text: error instanceof TypeError ? t("tables.offline") : [error.message, ...phrased(error.problem?.refused ?? [], error.problem?.refused_phrases)].join(" · "), bad: true };
    }
    setBusy(false);
  };
  if (!names.length) return null;
  const [kind, sentence] = standing(now);
  const why = busy ? t("tables.saving") : whyNotSaved(now);
  return html`<section class="save card" aria-label=${t("tables.unsaved")}>
    <div class="what"><p role="status" aria-live="polite" class=${kind}>${sentence} <small><bdi dir="ltr">${names.join(", ")}</bdi></small></p>
      ${now.problems?.length > 0 && html`<${Words} kind="problem" lines=${now.problems.slice(0, 4).map((item) => `${item.file}:${item.line}: ${messageOf(item)}`)} />`}
      ${!now.problems?.length && now.refused?.length > 0 && html`<${Words} kind="problem" lines=${phrased(now.refused, now.refused_phrases)} />`}
      ${!now.problems?.length && now.diff?.length > 0 && html`<${Words} lines=${phrased(now.diff, now.diff_phrases)} />`}
      ${now.needs_restart?.length > 0 && html`<p class="warn">${t("tables.needs-restart")}</p><${Words} lines=${phrased(now.needs_restart, now.needs_restart_phrases)} />`}</div>
    <p class="group"><${Doing} kind="main" why=${why} onClick=${() => send()}>${t("tables.save")}</${Doing}>
      <button disabled=${busy} onClick=${() => { if (confirm(t("tables.discard?", { file: names.join(", ") }))) names.forEach(discard); }}>${t("tables.discard")}</button></p>
    ${held && html`<${Dialogue} title=${t("tables.removes-much")} onClose=${() => setHeld(null)}><${Words} lines=${held} />
      <p class="buttons"><button class="danger" disabled=${busy} onClick=${() => send(true)}>${t("tables.save-anyway")}</button><button onClick=${() => setHeld(null)}>${t("tables.leave-it")}</button></p></${Dialogue}>`}
  </section>`;
}
