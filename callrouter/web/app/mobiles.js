// The mobiles that agents registered: those that wait for a supervisor first.

import { html, useEffect, useState } from "../vendor/preact.js";
import { wordsOf } from "./acts.js";
import { ask } from "./api.js";
import { Num } from "./parts.js";
import { PhoneControls } from "./phones.js";
import { address } from "./routes.js";
import { inWords } from "./phrases.js";
import { count, t, when } from "./words.js";

const AGAIN_MS = 15000;

function Rows({ rows, onDone, label }) {
  return html`<table class="rows mobiles"><caption class="hidden">${label}</caption>
    <thead><tr>${["agent", "number", "added", "verified"].map((key) => html`<th key=${key} scope="col">${t(`mobiles.head.${key}`)}</th>`)}<th scope="col"><span class="hidden">${t("actions")}</span></th></tr></thead>
    <tbody>${rows.map((row) => html`<tr key=${`${row.agent} ${row.id}`}>
      <td class="who"><a href=${address("agent", row.agent)}><bdi>${row.agent_name}</bdi></a></td>
      <td><${Num} of=${row.address} /> <small><bdi>${row.id}</bdi></small></td>
      <td>${row.added_at && when(row.added_at, { dateStyle: "short", timeStyle: "short" })} <small><bdi>${row.added_by}</bdi></small></td>
      <td>${row.verified_at ? when(row.verified_at, { dateStyle: "short", timeStyle: "short" }) : "–"}${row.trouble && row.status === "in-use" && html` <small><bdi>${inWords(row.trouble, row.trouble_phrase)}</bdi></small>`}</td>
      <td class="acts"><${PhoneControls} agent=${row.agent} phone=${row} onDone=${onDone} /></td></tr>`)}</tbody></table>`;
}

export function Mobiles() {
  const [rows, setRows] = useState(null);
  const [problem, setProblem] = useState("");
  const look = () => ask("GET", "/api/mobiles").then((found) => { setRows(found); setProblem(""); }, (error) => setProblem(wordsOf(error)));
  useEffect(() => {
    look();
    const timer = setInterval(look, AGAIN_MS);
    return () => clearInterval(timer);
  }, []);
  const group = (status) => (rows ?? []).filter((row) => row.status === status);
  return html`<main class="one">
    ${problem && html`<p class="problem" role="alert"><bdi>${problem}</bdi></p>`}
    ${rows === null && !problem && html`<p role="status"><span class="spinner" aria-hidden="true"></span> ${t("story.reading")}</p>`}
    ${rows !== null && ["waiting", "unverified", "in-use"].map((status) => html`<section key=${status} class="card" aria-label=${t(`mobiles.status.${status}`)}>
      <h2>${t(`mobiles.status.${status}`)} <small>${count(group(status).length)}</small></h2>
      <p class="hint">${t(`mobiles.about.${status}`)}</p>
      ${group(status).length > 0 ? html`<${Rows} rows=${group(status)} onDone=${look} label=${t(`mobiles.status.${status}`)} />` : html`<p class="none">${t("mobiles.none")}</p>`}</section>`)}
  </main>`;
}
