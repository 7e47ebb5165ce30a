// Tells an agent that the phone rings, also while the page is in the background: by a notification of
// the browser, a ring of its own and the title of the window. The first two are asked for, in this browser.

import { computed, effect, signal } from "../vendor/preact.js";
import { session } from "./api.js";
import { calls, queues, running } from "./live.js";
import { duration, keep, kept, t } from "./words.js";

const KEPT_NOTICE = "callrouter-ring-notice";
const KEPT_SOUND = "callrouter-ring-sound";
const RATE = 22050;
const TITLE = "callrouter";

/** Whether notifications are wanted and allowed, and whether the ring is wanted. */
export const notices = signal(kept(KEPT_NOTICE) === "on" && globalThis.Notification?.permission === "granted");
export const sound = signal(kept(KEPT_SOUND) === "on");
/** Whether the browser holds the ring back until the page has been touched once. */
export const muted = signal(false);

/** The calls that ring for the agent who looks, or are theirs. */
export const ownCalls = computed(() => {
  const agent = session.value?.agent;
  if (!agent) return [];
  return [...calls.value.values()].filter((call) => call.agent === agent || call.consulting === agent || call.offers.some((offer) => offer.agent === agent));
});
export const isTalking = (call) => call.agent === session.value?.agent && call.talk_s !== null;
const ringing = computed(() => ownCalls.value.filter((call) => call.offers.some((offer) => offer.agent === session.value.agent && offer.state === "ringing")));
const ringingIds = computed(() => ringing.value.map((call) => call.id).join(" "));
const ringingQueue = computed(() => (ringing.value.length ? queueName(ringing.value[0].queue) : ""));

export const queueName = (id) => queues.value.get(id)?.name ?? id;

/** Turn notifications on, for which the browser asks the person, or off. Returns whether it was done. */
export async function wantNotices(on) {
  if (on && (!globalThis.Notification || (await Notification.requestPermission()) !== "granted")) return false;
  notices.value = on;
  keep(KEPT_NOTICE, on ? "on" : "off");
  return true;
}

/** Turn the ring on, and let it be heard once, or off. */
export function wantSound(on) {
  sound.value = on;
  keep(KEPT_SOUND, on ? "on" : "off");
  if (on) {
    ring();
    setTimeout(() => { if (!ringingIds.value) hush(); }, 1200);
  } else hush();
}

let context = null;
let playing = null;

/** Two short tones and a pause, as a loop: a timer would be slowed down while the page is hidden. */
function pattern() {
  const made = context.createBuffer(1, RATE * 3, RATE);
  const wave = made.getChannelData(0);
  for (const begin of [0, 0.6]) {
    for (let n = 0; n < RATE * 0.4; n += 1) {
      const at = n / RATE;
      const swell = Math.min(1, at / 0.02, (0.4 - at) / 0.02); // without it, tones begin and end with a click
      wave[Math.floor(begin * RATE) + n] = 0.18 * swell * (Math.sin(2 * Math.PI * 587 * at) + Math.sin(2 * Math.PI * 784 * at));
    }
  }
  return made;
}

function ring() {
  if (playing) return;
  context ??= new AudioContext();
  context.resume().then(() => { muted.value = false; }, () => undefined);
  muted.value = context.state === "suspended";
  playing = context.createBufferSource();
  playing.buffer = pattern();
  playing.loop = true;
  playing.connect(context.destination);
  playing.start();
}

function hush() {
  playing?.stop();
  playing = null;
}

// Browsers play nothing before the page has been touched: after a reload, the first touch will do.
const allow = () => { if (sound.value) { context ??= new AudioContext(); context.resume().then(() => { muted.value = false; }, () => undefined); } };
for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, allow, { once: true, capture: true });

const shown = new Map(); // call id: its notification

function show(call) {
  const body = [call.caller_name, call.caller_number || t("withheld"), `${t("waited")} ${duration(running(call.wait_s, call.at))}`].filter(Boolean).join(" · ");
  const note = new Notification(t("mine.rings", { queue: queueName(call.queue) }), { body, tag: call.id, requireInteraction: true });
  note.onclick = () => { focus(); note.close(); };
  shown.set(call.id, note);
}

effect(() => {
  const ids = ringingIds.value ? ringingIds.value.split(" ") : [];
  document.title = ids.length ? `☎ ${ringingQueue.value} – ${TITLE}` : TITLE;
  if (ids.length && sound.value) ring(); else hush();
  for (const [id, note] of shown) {
    if (!ids.includes(id)) { note.close(); shown.delete(id); }
  }
  if (!notices.value) return;
  // Later, so that what a notification says is not followed: it is made once.
  queueMicrotask(() => { for (const call of ringing.value) if (!shown.has(call.id)) show(call); });
});
