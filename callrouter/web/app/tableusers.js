// People who are not agents: supervisors and administrators, and what they look after.

import { html } from "../vendor/preact.js";
import { session } from "./api.js";
import { Doing, Line, Menu } from "./fields.js";
import { HIDDEN, sheet } from "./sheets.js";
import { Locked, Picker } from "./tableparts.js";
import { whyNotAdmin } from "./tablerules.js";
import { t } from "./words.js";

const ROLES = ["supervisor", "admin"];

/** The queues that a supervisor is limited to; none ticked: all. */
function Limits({ table, id, locked }) {
  const queues = sheet("queues");
  const found = table.value([id, "queues"]);
  const own = Array.isArray(found) ? found.map(String) : [];
  const put = (queue, on) => {
    const next = on ? [...own, queue] : own.filter((item) => item !== queue);
    if (next.length) table.set([id, "queues"], next, ["role"]); else table.remove([id, "queues"]);
  };
  return html`<fieldset><legend>${t("tables.user-queues")}</legend><p class="below">${t("tables.user-queues-help")}</p>
    <ul class="serves">${queues.ids.map((queue) => html`<li key=${queue}><label class="check"><input type="checkbox" checked=${own.includes(queue)} disabled=${Boolean(locked)} title=${locked || undefined}
      onChange=${(event) => put(queue, event.currentTarget.checked)} /> <bdi>${queues.value([queue, "name"]) ?? queue}</bdi></label></li>`)}</ul></fieldset>`;
}

/** Supervisors and administrators as forms. */
export function UserTable({ chosen, onChoose, onFocus }) {
  const table = sheet("users");
  const locked = whyNotAdmin(table);
  if (!table.ids.length && locked) return html`<div class="sheet single"><div class="entry"><${Locked} why=${locked} /></div></div>`;
  const id = table.ids.includes(chosen) ? chosen : table.ids[0];
  const self = id === session.value.user ? t("tables.not-yourself") : "";
  const secret = id !== undefined && table.value([id, "password"]);
  return html`<div class="sheet">
    <${Picker} table=${table} chosen=${id} onChoose=${onChoose} onAdd=${(name) => { table.set([name], { role: "supervisor" }); onChoose(name); }} what="user" />
    ${id !== undefined && html`<form class="entry" key=${id} onSubmit=${(event) => event.preventDefault()} aria-label=${id}>
      <header><h2><bdi>${id}</bdi></h2><${Doing} kind="danger" why=${locked || self} onClick=${() => { table.remove([id]); onChoose(""); }}>${t("tables.remove-user")}</${Doing}></header>
      <${Locked} why=${locked} />
      <div class="fields">
        <${Menu} table=${table} path=${[id, "role"]} label=${t("tables-field.role")} help=${self || t("tables-help.role")} locked=${locked || self} onFocus=${onFocus} options=${ROLES.map((role) => [role, t(`role.${role}`)])} />
        <${Line} table=${table} path=${[id, "email"]} label=${t("tables-field.email")} help=${t("tables-help.email")} locked=${locked} onFocus=${onFocus} after=${["role", "queues", "password"]} fallback="sam@example.com" />
        <${Line} table=${table} path=${[id, "password"]} label=${t("tables-field.password")} help=${secret === HIDDEN ? t("tables.hidden") : t("tables-help.password")} locked=${locked} onFocus=${onFocus} after=${["role", "queues"]} fallback="$argon2id$…" wide=${true} />
      </div>
      ${table.value([id, "role"]) !== "admin" && html`<${Limits} table=${table} id=${id} locked=${locked} />`}
    </form>`}
  </div>`;
}
