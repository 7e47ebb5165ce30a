// The calls that are on, with what a supervisor can do with each.

import { html, useState } from "../vendor/preact.js";
import { CallControls, standingOf, standings, subjectOf, talks } from "./call_controls.js";
import { calls, queues, running } from "./live.js";
import { Num, Time } from "./parts.js";
import { agentName, byName, queueName } from "./names.js";
import { address } from "./routes.js";
import { count, t } from "./words.js";

const MOST = 200;

function CallRow({ call, place, up, down }) {
  const rings = call.offers.filter((offer) => offer.agent !== call.agent).map((offer) => agentName(offer.agent));
  const who = call.agent ? agentName(call.agent) : rings.join(", ");
  return html`<tr data-subject=${subjectOf(call)}>
    <td class="who"><a href=${address("call", call.id)} title=${t("floor.story")}><${Num} of=${call.caller_number} name=${call.caller_name} /></a></td>
    <td><bdi>${queueName(call.queue)}</bdi></td>
    <td>${t(`call.${call.state}`)}${place ? html` <small>${t("floor.place", { place })}</small>` : ""}
      ${call.held && html` <strong>${t("floor.held")}</strong>`}
      ${call.consulting && html` <small>${t("floor.asks", { name: agentName(call.consulting) })}: ${t(`mine.consulted.${call.consulting_state}`)}</small>`}</td>
    <td><bdi>${who}</bdi></td>
    <td><${Time} s=${running(talks(call) ? call.talk_s : call.wait_s, call.at)} /></td>
    <td class="acts"><${CallControls} call=${call} up=${up} down=${down} /> <a class="button" href=${address("call", call.id)}>${t("why")}</a></td></tr>`;
}

export function FloorCalls() {
  const [queue, setQueue] = useState("");
  const [search, setSearch] = useState("");
  const wanted = search.trim().toLowerCase();
  const fits = (call) => (!queue || call.queue === queue)
    && (!wanted || [call.id, call.caller_number, call.caller_name, call.agent ?? "", agentName(call.agent ?? "")].some((text) => text.toLowerCase().includes(wanted)));
  const all = [...calls.value.values()];
  const line = standings();
  const placeOf = (call) => standingOf(call, line).place ?? 0;
  const rows = all.filter(fits).sort((one, two) => Number(talks(one)) - Number(talks(two)) || one.queue.localeCompare(two.queue)
    || placeOf(one) - placeOf(two) || one.entered_at.localeCompare(two.entered_at));
  return html`<section class="card calls" aria-label=${t("calls")}>
    <h2>${t("calls")} <small>${count(all.length)}</small></h2>
    <div class="filters"><label><span class="hidden">${t("queue")}</span><select value=${queue} onChange=${(event) => setQueue(event.currentTarget.value)}>
        <option value="">${t("floor.all-queues")}</option>${[...queues.value.values()].sort(byName).map((item) => html`<option key=${item.id} value=${item.id}>${item.name}</option>`)}</select></label>
      <label class="grow"><span class="hidden">${t("floor.search-calls")}</span><input type="search" placeholder=${t("floor.search-calls")} value=${search} onInput=${(event) => setSearch(event.currentTarget.value)} /></label></div>
    ${rows.length === 0 ? html`<p class="none">${t(all.length ? "floor.no-call-fits" : "no-calls")}</p>` : html`<div class="scroll"><table class="rows">
      <thead><tr>${["caller", "queue", "state", "agent", "time"].map((key) => html`<th key=${key} scope="col">${t(`floor.head.${key}`)}</th>`)}<th scope="col"><span class="hidden">${t("actions")}</span></th></tr></thead>
      <tbody>${rows.slice(0, MOST).map((call) => html`<${CallRow} key=${call.id} call=${call} ...${standingOf(call, line)} />`)}</tbody></table></div>
      ${rows.length > MOST && html`<p class="more">${t("more", { count: rows.length - MOST })}</p>`}`}
  </section>`;
}
