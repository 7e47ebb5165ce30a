// Who is logged in and from where, and who did what: the sessions, which can be ended, and the audit.

import { html, useEffect, useState } from "../vendor/preact.js";
import { ask, endOwnSessions, session } from "./api.js";
import { Audit } from "./audit.js";
import { Act } from "./parts.js";
import { dayAndTime, t } from "./words.js";

const SHOWN = 100;

/** What browsers call themselves, in the order in which a name settles it: Chrome says Safari too. */
const BROWSERS = [["Edg", "Edge"], ["OPR", "Opera"], ["Firefox", "Firefox"], ["Chrom", "Chrome"], ["Safari", "Safari"]];
const SYSTEMS = [["Android", "Android"], ["iPhone", "iPhone"], ["iPad", "iPad"], ["Windows", "Windows"], ["Mac OS", "macOS"], ["Linux", "Linux"]];
const first = (list, text) => list.find(([mark]) => text.includes(mark))?.[1];

/** A browser's own name, shortened to what a person knows it by. */
export function program(text) {
  const found = [first(BROWSERS, text), first(SYSTEMS, text)].filter(Boolean);
  return found.length ? found.join(", ") : text.slice(0, 40) || t("people.unknown");
}

function Sessions() {
  const [rows, setRows] = useState(null);
  const [problem, setProblem] = useState("");
  const [wanted, setWanted] = useState("");
  const own = session.value.user;
  const all = session.value.role === "admin";
  const load = () => ask("GET", "/api/sessions").then(setRows, (error) => setProblem(error.message));
  useEffect(() => { load(); }, []);
  if (problem) return html`<p class="problem" role="alert">${problem}</p>`;
  if (rows === null) return html`<p>…</p>`;
  const found = rows.filter((row) => row.user.includes(wanted.trim().toLowerCase()));
  const end = async (row) => {
    await ask("DELETE", `/api/sessions/${row.id}`);
    if (row.current) session.value = null;
    else await load();
  };
  return html`<div class="bar">
      ${all && html`<label class="search"><span class="hidden">${t("people.find")}</span>
        <input type="search" placeholder=${t("people.find")} value=${wanted} onInput=${(event) => setWanted(event.currentTarget.value)} /></label>`}
      <span role="status">${t("people.count", { count: found.length })}</span>
      <${Act} kind="danger" to=${endOwnSessions} ask=${t("people.everywhere?")}>${t("log-out-everywhere")}</${Act}>
    </div>
    <div class="scroll"><table class="stack sessions"><thead><tr>${all && html`<th scope="col">${t("people.person")}</th>`}
      <th scope="col">${t("people.program")}</th><th scope="col">${t("people.address")}</th>
      <th scope="col">${t("people.since")}</th><th scope="col">${t("people.seen")}</th><th scope="col"><span class="hidden">${t("actions")}</span></th></tr></thead>
    <tbody>${found.slice(0, SHOWN).map((row) => html`<tr key=${row.id}>
      ${all && html`<td class="who" data-title=${t("people.person")}><bdi>${row.user}</bdi></td>`}
      <td class="program" data-title=${t("people.program")}><bdi>${program(row.program)}</bdi>${row.current ? html` <span class="mark">${t("people.this")}</span>` : ""}</td>
      <td data-title=${t("people.address")}><bdi dir="ltr">${row.address || "–"}</bdi></td>
      <td data-title=${t("people.since")}><bdi>${dayAndTime(row.created_at)}</bdi></td>
      <td data-title=${t("people.seen")}><bdi>${dayAndTime(row.seen_at)}</bdi></td>
      <td><${Act} to=${() => end(row)} done=${t("people.ended")} label=${t("people.end-of", { name: row.user, program: program(row.program) })}
        ask=${row.user === own ? "" : t("people.end?", { name: row.user })}>${t("people.end")}</${Act}></td></tr>`)}</tbody></table></div>
    ${found.length > SHOWN && html`<p class="more">${t("more", { count: found.length - SHOWN })}</p>`}`;
}

export function People() {
  return html`<main class="people">
    <h1 class="hidden">${t("view.people")}</h1>
    <section class="card" aria-labelledby="sessions"><h2 id="sessions">${t("people.sessions")}</h2><${Sessions} /></section>
    <section class="card" aria-labelledby="audit"><h2 id="audit">${t("audit.title")}</h2><${Audit} /></section>
  </main>`;
}
