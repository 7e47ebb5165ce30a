// A screen on the wall: big, without controls, read from far away. `/?board=support,sales` shows these
// queues, `/?board` all; `&lang=ar` and `&theme=dark` set what a screen cannot ask anyone for. It is opened
// by who is logged in, or by a link that may be revoked, whose secret stands behind the # and in no log.

import { html, signal, useEffect, useRef, useState } from "../vendor/preact.js";
import { ask, identity, Refusal, session, whoAmI } from "./api.js";
import { Age } from "./frame.js";
import { agents, leave, now, queues } from "./live.js";
import { SHAPES, stateName, STATES } from "./parts.js";
import { QueueCard } from "./queuecard.js";
import { clockTime, count, keep, kept, LANGUAGES, speak, t } from "./words.js";

const asked = new URLSearchParams(location.search);
/** Whether the address asks for a wall screen. */
export const isWall = asked.has("board");
const wanted = (asked.get("board") ?? "").split(",").map((name) => name.trim()).filter(Boolean);

const TURN = 12000; // milliseconds that each part is shown, if not all queues fit at once
const KEPT = "callrouter-screen"; // set in a browser that was opened by a link, and so may have its cookie
const STILL = 3000; // milliseconds after which the pointer is hidden

/** Whether the browser did not keep the cookie of a link that is in force. */
const lost = signal(false);

/** Open the screen: by the link in the address, by the one that this browser was opened with, or as a person. */
export async function openWall() {
  if (LANGUAGES[asked.get("lang")]) await speak(asked.get("lang"));
  if (["light", "dark"].includes(asked.get("theme"))) document.documentElement.dataset.theme = asked.get("theme");
  const token = new URLSearchParams(location.hash.slice(1)).get("screen");
  if (token) {
    history.replaceState(null, "", location.pathname + location.search);
    try { await ask("POST", "/api/session/screen", { token }); } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      session.value = null;
      return;
    }
    keep(KEPT, "yes");
  }
  if (token || kept(KEPT) === "yes") {
    identity.value = "screen";
    await whoAmI();
    lost.value = Boolean(token) && !session.value;
    if (session.value || token) return;
    keep(KEPT, "no");
    identity.value = "";
  }
  await whoAmI();
}

/** Keep the screen awake while the page is seen, where the browser allows it. */
function useAwake() {
  useEffect(() => {
    let lock = null;
    const hold = () => { if (document.visibilityState === "visible") navigator.wakeLock?.request("screen").then((made) => { lock = made; }, () => undefined); };
    hold();
    document.addEventListener("visibilitychange", hold);
    return () => { document.removeEventListener("visibilitychange", hold); lock?.release(); };
  }, []);
}

/** Hide the pointer once it stands still. */
function useNoPointer() {
  useEffect(() => {
    let timer = 0;
    const move = () => {
      document.documentElement.classList.remove("still");
      clearTimeout(timer);
      timer = setTimeout(() => document.documentElement.classList.add("still"), STILL);
    };
    move();
    addEventListener("pointermove", move);
    return () => { removeEventListener("pointermove", move); clearTimeout(timer); };
  }, []);
}

/** How many cards fit into the place: their least size is that of the style sheet. */
function useRoom(place) {
  const [room, setRoom] = useState(1);
  useEffect(() => {
    const look = () => {
      if (!place.current) return;
      const style = getComputedStyle(place.current);
      const [wide, high, gap] = ["--least-wide", "--least-high", "--gap"].map((name) => parseFloat(style.getPropertyValue(name)) * parseFloat(getComputedStyle(document.documentElement).fontSize));
      const along = (size, least) => Math.max(1, Math.floor((size + gap) / (least + gap)));
      setRoom(along(place.current.clientWidth, wide) * along(place.current.clientHeight, high));
    };
    const watcher = new ResizeObserver(look);
    watcher.observe(place.current);
    return () => watcher.disconnect();
  }, []);
  return room;
}

function Clock() {
  return html`<span class="clock"><bdi>${clockTime(now.value)}</bdi></span>`;
}

function Totals() {
  const sizes = new Map();
  for (const agent of agents.value.values()) sizes.set(agent.state, (sizes.get(agent.state) ?? 0) + 1);
  return html`<footer class="totals"><ul aria-label=${t("board.by-state")}>${STATES.map((state) => html`<li key=${state} class=${`state ${state}`}>
    <span aria-hidden="true">${SHAPES[state]}</span> <strong>${count(sizes.get(state) ?? 0)}</strong> ${stateName(state)}</li>`)}</ul></footer>`;
}

function Screen() {
  const place = useRef(null);
  const room = useRoom(place);
  const [turn, setTurn] = useState(0);
  useAwake();
  useNoPointer();
  const all = [...queues.value.values()];
  const rows = wanted.length ? wanted.map((name) => queues.value.get(name)).filter(Boolean) : all.sort((one, two) => one.name.localeCompare(two.name));
  const parts = Math.max(1, Math.ceil(rows.length / room));
  useEffect(() => {
    if (parts < 2) return undefined;
    const timer = setInterval(() => setTurn((before) => before + 1), TURN);
    return () => clearInterval(timer);
  }, [parts]);
  const part = turn % parts;
  const shown = rows.slice(part * room, (part + 1) * room);
  return html`<div class="wall">
    <header><${Clock} /> <span class="spring"></span>
      ${parts > 1 && html`<span class="part" aria-label=${t("board.part", { part: count(part + 1), parts: count(parts) })}>${Array.from({ length: parts }, (_, n) => html`<span key=${n} aria-hidden="true" class=${n === part ? "on" : ""}>${n === part ? "●" : "○"}</span>`)}</span>`}
      <${Age} /></header>
    <main ref=${place}><div class="cards">${rows.length ? shown.map((queue) => html`<${QueueCard} key=${queue.id} queue=${queue} wall />`) : html`<p class="alone">${t("no-queues")}</p>`}</div></main>
    ${agents.value.size > 0 && html`<${Totals} />`}
  </div>`;
}

export function Wall() {
  const person = session.value;
  useEffect(() => { if (person === null) leave(); }, [person]);
  if (person === undefined) return html`<p class="alone">callrouter …</p>`;
  if (person === null) return html`<main class="wall shut"><p class="alone" role="alert"><span aria-hidden="true">○</span> ${t("board.shut")}</p><p class="alone">${lost.value ? t("needs-https") : t("board.shut-why")}</p></main>`;
  return html`<${Screen} />`;
}
