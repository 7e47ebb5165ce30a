// An agent as a form: the person, their phones, and the queues that they serve.

import { html, useState } from "../vendor/preact.js";
import { Choice, Doing, Line, Menu } from "./fields.js";
import { Mixed } from "./parts.js";
import { HIDDEN, members, setMember, sheet } from "./sheets.js";
import { AddEntry, Locked, NARROW, Part, Picker, Rename } from "./tableparts.js";
import { t } from "./words.js";

const ORDER = ["name", "renamed_from", "pin", "password", "extension", "language", "timezone", "sign_in", "capacity", "wrap_up", "skills", "enabled", "devices"];
const after = (key) => ORDER.slice(0, ORDER.indexOf(key));
const FIELDS = [["extension", "text"], ["wrap_up", "duration"], ["capacity", "number"], ["skills", "levels"], ["language", "text"], ["timezone", "text"]];
const PERSON = [...FIELDS.map(([key]) => key), "sign_in", "enabled"];
const SEVERAL = "addresses";
const PHONE_FIELDS = [["ring_after", "duration"], ["accept_within", "duration"], ["hours", "text"]];

/** A phone; the short way of writing one becomes the long way when a detail is added. */
function Phone({ table, id, name, locked, onFocus }) {
  const path = [id, "devices", name];
  const value = table.value(path);
  const short = typeof value === "string";
  const several = value?.endpoint && typeof value.endpoint === "object" ? value.endpoint : null;
  const key = short ? "endpoint" : ["endpoint", "number", "dial"].find((word) => value?.[word] !== undefined) ?? "endpoint";
  const kind = several ? SEVERAL : key;
  const pbxes = [...new Set([...sheet("pbx").ids, ...Object.keys(several ?? {})])];
  // Seen by the fields as the long way, written by them as what it is or has to become.
  const long = {
    ...table,
    value: (at) => (short ? { [key]: value }[at.at(-1)] : table.value(at)),
    set: (at, wanted, near) => {
      if (!short) table.set(at, wanted, near);
      else if (at.at(-1) === key) table.set(path, wanted);
      else table.set(path, { [key]: value, [at.at(-1)]: wanted });
    },
    remove: (at) => { if (!short) table.remove(at); },
  };
  const change = (event) => {
    const next = event.currentTarget.value;
    if (several || next === SEVERAL) return between(next);
    const address = short ? value : value?.[key] ?? "";
    if (short) table.set(path, next === "endpoint" ? address : { [next]: address });
    else table.change((now) => now.rename(["agents", ...path, key], next));
  };
  // To an address on each PBX, which begins with the one that there was, or back to one of them.
  const between = (next) => {
    const { pbx, [key]: one, ...rest } = short ? { endpoint: value } : value ?? {};
    if (next === SEVERAL) table.set(path, { endpoint: { [pbx ?? pbxes[0]]: typeof one === "string" ? one : "" }, ...rest });
    else {
      const [[home, address]] = [...Object.entries(several).filter(([, text]) => !String(text).includes("@")), ...Object.entries(several), ["", ""]];
      table.set(path, { [next]: address, ...(home && next !== "number" ? { pbx: home } : {}), ...rest });
    }
  };
  const when = html`${PHONE_FIELDS.map(([key, what]) => html`<${Line} key=${key} table=${long} path=${[...path, key]} label=${t(`tables-field.phone-${key}`)} help=${t(`tables-help.phone-${key}`)} kind=${what} locked=${locked} onFocus=${onFocus} />`)}
    <${Choice} table=${long} path=${[...path, "enabled"]} label=${t("tables-field.rings")} usual=${true} locked=${locked} onFocus=${onFocus} />`;
  return html`<fieldset class="phone"><legend><bdi>${name}</bdi></legend><div class="fields">
    <label class="field"><span>${t("tables.phone-kind")}</span><select value=${kind} disabled=${Boolean(locked)} onChange=${change}>
      ${["endpoint", "dial", "number", ...(several || pbxes.length > 1 ? [SEVERAL] : [])].map((word) => html`<option key=${word} value=${word} selected=${word === kind}>${t(`tables-phone.${word}`)}</option>`)}</select></label>
    ${several
      ? pbxes.map((pbx) => html`<${Line} key=${pbx} table=${table} path=${[...path, "endpoint", pbx]} label=${t("tables.address-on", { pbx })} kind="text" locked=${locked} onFocus=${onFocus} fallback=${several[pbx] === undefined ? "PJSIP/1001@north" : ""} />`)
      : html`<${Line} table=${long} path=${[...path, key]} label=${t("tables.address")} kind="text" locked=${locked} onFocus=${onFocus} fallback=${{ endpoint: "PJSIP/1001", number: "+447700900123", dial: "Local/1001@from-internal/n" }[key]} />`}
    ${innerWidth >= NARROW ? when : html`<${Part} title=${t("tables-group.when")} found=${table.problems(path)}>${when}</${Part}>`}
    <${Doing} kind="danger" why=${locked} label=${t("tables.remove-phone", { name })} onClick=${() => table.remove(path)}>${t("remove")}</${Doing}>
  </div></fieldset>`;
}

/** The queues that an agent serves, each with the agent's level. */
function Serves({ agent }) {
  const queues = sheet("queues");
  return html`<fieldset><legend>${t("tables.serves")}</legend><ul class="serves">${queues.ids.map((id) => {
    const now = members(queues.value([id, "agents"])).find(([name]) => name === agent);
    const locked = queues.why(id);
    const put = (level) => setMember(queues, [id, "agents"], agent, level);
    return html`<li key=${id}><label class="check"><input type="checkbox" checked=${Boolean(now)} disabled=${Boolean(locked)} title=${locked} onChange=${(event) => put(event.currentTarget.checked ? 1 : null)} />
      <bdi>${queues.value([id, "name"]) ?? id}</bdi></label>
      ${now && html`<label class="level"><span>${t("tables.level")}</span><input type="number" min="1" max="100" value=${now[1]} disabled=${Boolean(locked)} onInput=${(event) => { if (event.currentTarget.value) put(Number(event.currentTarget.value)); }} /></label>`}</li>`;
  })}</ul></fieldset>`;
}

/** Agents as forms. */
export function AgentTable({ chosen, onChoose, onFocus }) {
  const [adding, setAdding] = useState(false);
  const table = sheet("agents");
  const id = table.ids.includes(chosen) ? chosen : table.ids[0];
  const locked = id === undefined ? "" : table.why(id);
  const add = (name) => { table.set([name], { name, devices: {} }); onChoose(name); };
  const remove = () => {
    const queues = sheet("queues");
    for (const queue of queues.ids) if (members(queues.value([queue, "agents"])).some(([name]) => name === id)) setMember(sheet("queues"), [queue, "agents"], id, null);
    sheet("agents").remove([id]);
    onChoose("");
  };
  const devices = id === undefined ? {} : table.value([id, "devices"]) ?? {};
  const secret = id !== undefined && ["pin", "password"].filter((key) => table.value([id, key]) !== undefined);
  return html`<div class="sheet">
    <${Picker} table=${table} chosen=${id} onChoose=${onChoose} onAdd=${add} what="agent" />
    ${id !== undefined && html`<form class="entry" key=${id} onSubmit=${(event) => event.preventDefault()} aria-label=${id}>
      <header><h2><bdi>${table.value([id, "name"]) ?? id}</bdi> <small><bdi>${id}</bdi></small></h2>
        <span class="group"><${Rename} table=${table} id=${id} what="agent" locked=${locked} onChoose=${onChoose} />
        <${Doing} kind="danger" why=${locked} onClick=${remove}>${t("tables.remove-agent")}</${Doing}></span></header>
      <${Locked} why=${locked} />
      <div class="fields"><${Line} table=${table} path=${[id, "name"]} label=${t("tables-field.name")} help=${t("tables-help.name")} fallback=${id} locked=${locked} onFocus=${onFocus} />
        <p class="field"><span>${t("password")}</span> <span class="below">${secret.length ? t("tables.has-password") : html`<${Mixed} text=${t("tables.no-password")} />`}${secret.some((key) => table.value([id, key]) === HIDDEN) ? ` ${t("tables.hidden")}` : ""}</span></p></div>
      <${Part} title=${t("tables-group.person")} open=${innerWidth >= NARROW} found=${PERSON.flatMap((key) => table.problems([id, key]))}><div class="fields">${FIELDS.map(([key, kind]) => html`<${Line} key=${key} table=${table} path=${[id, key]} label=${t(`tables-field.${key}`)} help=${t(`tables-help.agent-${key}`)} kind=${kind} after=${after(key)} locked=${locked} onFocus=${onFocus} />`)}
        <${Menu} table=${table} path=${[id, "sign_in"]} label=${t("tables-field.sign_in")} after=${after("sign_in")} locked=${locked} onFocus=${onFocus}
          options=${[["", t("tables.by-default", { value: t("tables.manual") })], ["manual", t("tables.manual")], ["always", t("tables.always")]]} />
        <${Choice} table=${table} path=${[id, "enabled"]} label=${t("tables-field.enabled")} usual=${true} after=${after("enabled")} locked=${locked} onFocus=${onFocus} /></div></${Part}>
      <fieldset><legend>${t("phones")}</legend>
        ${typeof devices === "object" && Object.keys(devices).map((name) => html`<${Phone} key=${name} table=${table} id=${id} name=${name} locked=${locked} onFocus=${onFocus} />`)}
        <${Doing} why=${locked} onClick=${() => setAdding(true)}>+ ${t("tables-add.phone")}</${Doing}></fieldset>
      <${Serves} agent=${id} />
      ${adding && html`<${AddEntry} title=${t("tables-add.phone")} taken=${Object.keys(devices)} onAdd=${(name) => table.set([id, "devices", name], "PJSIP/", after("devices"))} onClose=${() => setAdding(false)} />`}
    </form>`}
  </div>`;
}
