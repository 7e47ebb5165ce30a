// What the daemon shows now: agents, queues and calls, kept up to date over a WebSocket.

import { batch, computed, signal } from "../vendor/preact.js";
import { identity, session, whoAmI } from "./api.js";

export const agents = signal(new Map());
export const queues = signal(new Map());
export const calls = signal(new Map());
/** Whether the feed is connected and its state has come. */
export const connected = signal(false);
/** The page's clock: epoch milliseconds of the daemon, ticking each second. */
export const now = signal(Date.now());
/** The time of the last message, by the daemon's clock: until then, what is shown is true. */
const trueAt = signal(0);
/** How old what is shown is, in whole seconds. The daemon speaks every second, also when nothing changes. */
export const age = computed(() => (trueAt.value ? Math.max(0, Math.floor((now.value - trueAt.value) / 1000)) : 0));
/** Whether the last view was ended by the daemon, because its link, session or token is not in force. */
export const revoked = signal(false);

const REVOKED = 4001;
const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 10000;
/** Seconds after which data are called old, and after which nothing should be read from them. */
export const OLD = 2;
export const TOO_OLD = 10;
const CLOCK_SET = 60000; // no link delays a message by so many milliseconds: a clock was set
const SEEN_WITHIN = 100; // milliseconds after which messages are taken though no frame has been drawn
const DEAD = 15000; // milliseconds without a message after which a connection counts as cut

let offset = 0; // the daemon's clock minus ours, in milliseconds, by the message that was delayed least
let heard = 0; // when the last message came, by our clock
let socket = null;
let pause = FIRST_PAUSE;
let untaken = []; // messages that have come since the last were taken
let drawn = true; // whether the page has been drawn since the last were taken
let waitedFor = null; // what tells that: the next frame, or a time without one

setInterval(() => {
  now.value = Date.now() + offset;
  if (connected.value && Date.now() - heard > DEAD) cut(socket);
}, 1000);

/** Give up a connection without waiting for its end, of which the network may never tell. */
function cut(own) {
  own.onclose({ code: 0 });
  own.close();
}

/** Watch until `leave`. Connects again by itself; the state then comes whole. */
export function watch() {
  if (socket) return;
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const query = identity.value ? `topics=agents,queues&as=${identity.value}` : "topics=agents,queues,calls";
  const own = new WebSocket(`${scheme}://${location.host}/api/live?${query}`);
  socket = own;
  own.onmessage = (event) => { if (socket === own) arrived(JSON.parse(event.data)); };
  own.onclose = async (event) => {
    if (socket !== own) return;
    socket = null;
    untaken = [];
    connected.value = false;
    revoked.value = event.code === REVOKED;
    if (revoked.value) await whoAmI().catch(() => undefined);
    if (!session.value) return;
    setTimeout(watch, pause * (0.75 + Math.random() / 2));
    pause = Math.min(LONGEST_PAUSE, pause * 2);
    if (pause > 2000) whoAmI().catch(() => undefined); // a session that is over would be refused for ever
  };
}

/** Stop watching and forget what was shown. */
export function leave() {
  const own = socket;
  socket = null;
  untaken = [];
  own?.close();
  batch(() => {
    connected.value = false;
    trueAt.value = 0;
    for (const rows of [agents, queues, calls]) rows.value = new Map();
  });
}

/** Note a message. The first after a frame is taken at once, so that the next frame shows it; those that come before that
 * are taken together, so that a slow machine draws less often and never falls behind. A page that is not seen takes each
 * at once, because it may have to ring. */
function arrived(message) {
  heard = Date.now();
  const by = Date.parse(message.at) - heard;
  offset = message.type === "state" || by < offset - CLOCK_SET ? by : Math.max(offset, by);
  untaken.push(message);
  if (document.hidden) takeAll();
  else if (drawn) {
    drawn = false;
    takeAll();
    const frame = requestAnimationFrame(afterFrame);
    const timer = setTimeout(afterFrame, SEEN_WITHIN);
    waitedFor = { frame, timer };
  }
}

function afterFrame() {
  cancelAnimationFrame(waitedFor.frame);
  clearTimeout(waitedFor.timer);
  drawn = true;
  takeAll();
}

function takeAll() {
  const messages = untaken;
  untaken = [];
  if (messages.length) batch(() => messages.forEach(take));
}

function take(message) {
  const at = Date.parse(message.at);
  trueAt.value = at;
  if (message.type === "state") {
    pause = FIRST_PAUSE;
    now.value = at;
    agents.value = byId(message.agents, at);
    queues.value = byId(message.queues, at);
    calls.value = byId(message.calls, at);
    connected.value = true;
  } else if (message.type === "changes") {
    for (const [name, rows] of [["agents", agents], ["queues", queues], ["calls", calls]]) {
      const gone = message.gone.filter((item) => item.topic === name);
      if (!message[name].length && !gone.length) continue;
      const made = new Map(rows.peek());
      for (const row of message[name]) made.set(row.id, stamped(row, at));
      for (const item of gone) made.delete(item.id);
      rows.value = made;
    }
  }
}

const byId = (rows, at) => new Map(rows.map((row) => [row.id, stamped(row, at)]));

/** A row with the time at which its counting fields were right. */
const stamped = (row, at) => ({ ...row, at });

/** What a counting field of a row has come to by now, in seconds. Follows the page's clock. */
export const running = (value, at) => (value === null || value === undefined ? null : Math.max(0, value + (now.value - at) / 1000));
/** What is left of a field that counts down. */
export const left = (value, at) => (value === null || value === undefined ? null : Math.max(0, value - (now.value - at) / 1000));
/** Seconds since a moment of the daemon, such as `since`. */
export const ago = (moment) => (moment ? Math.max(0, (now.value - Date.parse(moment)) / 1000) : null);
