// The rules for arriving calls as forms: which calls, and what is done with them, in their order.

import { html, useState } from "../vendor/preact.js";
import { Doing, Line } from "./fields.js";
import { folder } from "./drafts.js";
import { session } from "./api.js";
import { HIDDEN, sheet } from "./sheets.js";
import { Locked, NARROW, Part } from "./tableparts.js";
import { t } from "./words.js";

const WHEN = [["caller", "one-or-list"], ["called", "one-or-list"], ["queue", "one-or-list", "queue-ids"], ["hours", "text"], ["waiting", "text"], ["tag", "one-or-list"]];
const THEN = [["priority", "number"], ["queue", "text", "queue-ids"], ["agent", "text", "agent-ids"], ["tag", "text"], ["skills", "levels"]];

/** Why a section that only an administrator changes cannot be changed; empty: it can. */
export const whyNotAdmin = (table) => table.why("") || (session.value.role !== "admin" || folder.value?.may?.queues ? t("tables.admins-only") : "");

export const Ids = ({ id, of }) => html`<datalist id=${id}>${sheet(of).ids.slice(0, 500).map((item) => html`<option key=${item} value=${item} />`)}</datalist>`;

function Rule({ table, n, size, locked, isNew, onFocus }) {
  const name = String(table.value([n, "name"]) ?? t("tables.rule-n", { number: n + 1 }));
  const swap = (way) => table.change((now) => now.swap(["rules"], n, n + way));
  const first = locked || (n === 0 ? t("tables.is-first") : "");
  const last = locked || (n === size - 1 ? t("tables.is-last") : "");
  const field = (part) => ([key, kind, list]) => html`<${Line} key=${key} table=${table} path=${[n, part, key]} kind=${kind} list=${list}
    label=${t(`tables-field.rule-${part}-${key}`)} help=${t(`tables-help.rule-${part}-${key}`)} locked=${locked} onFocus=${onFocus} />`;
  return html`<${Part} title=${`${t("tables.rule-n", { number: n + 1 })} · ${name}`} open=${innerWidth >= NARROW || isNew} found=${table.problems([n])}>
    <div class="fields"><${Line} table=${table} path=${[n, "name"]} label=${t("tables-field.name")} help=${t("tables-help.rule-name")} locked=${locked} onFocus=${onFocus} wide=${true} /></div>
    <h3>${t("tables.rule-when")}</h3><div class="fields">${WHEN.map(field("when"))}</div>
    <h3>${t("tables.rule-then")}</h3><div class="fields">${THEN.map(field("then"))}</div>
    <p class="group"><${Doing} why=${first} label=${t("tables.up", { name })} onClick=${() => swap(-1)}>▲</${Doing}>
      <${Doing} why=${last} label=${t("tables.down", { name })} onClick=${() => swap(1)}>▼</${Doing}>
      <${Doing} kind="danger" why=${locked} label=${`${t("remove")}: ${name}`} onClick=${() => table.remove(size === 1 ? [] : [n])}>${t("remove")}</${Doing}></p>
  </${Part}>`;
}

/** The rules, of which the first that matches a call is applied. */
export function RuleTable({ onFocus }) {
  const [said, setSaid] = useState("");
  const table = sheet("rules");
  const found = table.value([]);
  const rules = Array.isArray(found) ? found : [];
  const locked = found === HIDDEN ? t("tables.hidden") : whyNotAdmin(table);
  const add = () => {
    const name = t("tables.rule-n", { number: rules.length + 1 });
    table.set([rules.length], { name, when: { caller: "withheld" }, then: { priority: 50 } });
    setSaid(name);
  };
  return html`<div class="sheet single"><form class="entry" onSubmit=${(event) => event.preventDefault()} aria-label=${t("tables-tab.rules")}>
    <p class="below">${t("tables.rules-help")}</p>
    <${Locked} why=${locked} />
    ${!rules.length && found !== HIDDEN && html`<p class="none">${t("tables.no-rules")}</p>`}
    ${rules.map((_, n) => html`<${Rule} key=${n} table=${table} n=${n} size=${rules.length} isNew=${said && n === rules.length - 1} locked=${locked} onFocus=${onFocus} />`)}
    <${Doing} why=${locked} onClick=${add}>+ ${t("tables-add.rule")}</${Doing}>
    <p class="hidden" role="status">${said}</p>
    <${Ids} id="queue-ids" of="queues" /><${Ids} id="agent-ids" of="agents" />
  </form></div>`;
}
