// Links for screens on the wall: made, copied, listed and revoked by supervisors.

import { html, useEffect, useState } from "../vendor/preact.js";
import { ask, Refusal } from "./api.js";
import { queues } from "./live.js";
import { byName, queueName } from "./names.js";
import { attempt, Dialogue } from "./parts.js";
import { moment, t } from "./words.js";

/** The link that was just made. It is shown this once. */
function Made({ screen, onClose }) {
  const link = location.origin + screen.path;
  const [copied, setCopied] = useState(false);
  const copy = () => attempt(async () => {
    if (!navigator.clipboard) throw new Error(t("screens.copy-yourself"));
    await navigator.clipboard.writeText(link);
    setCopied(true);
  });
  return html`<div class="code" role="status"><p><strong class="made"><bdi>${screen.name}</bdi></strong> ${t("screens.once")}</p>
    <p class="pair"><input readonly dir="ltr" aria-label=${t("screens.link")} value=${link} onFocus=${(event) => event.currentTarget.select()} />
      <button class="main" onClick=${copy}>${t(copied ? "screens.copied" : "screens.copy")}</button>
      <a class="button" href=${link} target="_blank" rel="noopener">${t("screens.open")}</a>
      <button class="plain" onClick=${onClose} aria-label=${t("close")}>✕</button></p></div>`;
}

function Make({ onMade }) {
  const [problem, setProblem] = useState("");
  const send = async (event) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setProblem("");
    try {
      onMade(await ask("POST", "/api/wall-screens", { name: form.get("name"), queues: form.getAll("queue") }));
    } catch (error) { setProblem(error instanceof Refusal ? error.message : t("unreachable")); }
  };
  return html`<form class="make" onSubmit=${send}>
    <label>${t("screens.name")}<input name="name" required maxlength="64" placeholder=${t("screens.example")} /></label>
    <fieldset><legend>${t("screens.queues")}</legend>
      ${[...queues.value.values()].sort(byName).map((queue) => html`<label class="tick" key=${queue.id}><input type="checkbox" name="queue" value=${queue.id} /> <bdi>${queue.name}</bdi></label>`)}</fieldset>
    <p class="problem" role="alert"><bdi>${problem}</bdi></p>
    <button class="main">${t("screens.make")}</button></form>`;
}

export function Screens() {
  const [rows, setRows] = useState(null);
  const [made, setMade] = useState(null);
  const [revoking, setRevoking] = useState(null);
  const look = () => attempt(async () => { setRows(await ask("GET", "/api/wall-screens")); });
  useEffect(() => { look(); }, []);
  const revoke = async () => {
    const done = await attempt(() => ask("DELETE", `/api/wall-screens/${revoking.id}`), t("screens.revoked", { name: revoking.name }));
    if (done && made?.id === revoking.id) setMade(null);
    setRevoking(null);
    await look();
  };
  return html`<main class="screens">
    <section class="card" aria-label=${t("screens.title")}><h1>${t("screens.title")}</h1>
      <p class="hint">${t("screens.about")}</p>
      ${made && html`<${Made} key=${made.id} screen=${made} onClose=${() => setMade(null)} />`}
      ${rows?.length === 0 && html`<p class="none">${t("screens.none")}</p>`}
      ${rows?.length > 0 && html`<ul class="plain" aria-label=${t("screens.title")}>${rows.map((row) => html`<li key=${row.id}>
        <span class="which"><strong><bdi>${row.name}</bdi></strong> <small><bdi>${row.queues.length ? row.queues.map(queueName).join(t("board.and")) : t("screens.all")}</bdi></small></span>
        <small class="when">${t("screens.by", { name: row.created_by, time: moment(row.created_at) })} · ${row.seen_at ? t("screens.used", { time: moment(row.seen_at) }) : t("screens.unused")}</small>
        <button class="danger" aria-label=${`${t("screens.revoke")}: ${row.name}`} onClick=${() => setRevoking(row)}>${t("screens.revoke")}</button></li>`)}</ul>`}
    </section>
    <section class="card" aria-label=${t("screens.new")}><h2>${t("screens.new")}</h2><${Make} key=${made?.id} onMade=${(screen) => { setMade(screen); look(); }} /></section>
    ${revoking && html`<${Dialogue} title=${t("screens.revoke")} onClose=${() => setRevoking(null)}>
      <p>${t("screens.sure", { name: revoking.name })}</p>
      <p class="buttons"><button class="danger" onClick=${revoke}>${t("screens.revoke")}</button></p></${Dialogue}>`}
  </main>`;
}
