// The agent's own page: the call at hand, the state and how to change it, figures, phones and news.

import { html } from "../vendor/preact.js";
import { session } from "./api.js";
import { agents } from "./live.js";
import { Conversation } from "./minecall.js";
import { News } from "./minenews.js";
import { Phones } from "./minephones.js";
import { Standing } from "./minestate.js";
import { Today } from "./minetoday.js";
import { muted, notices, ownCalls, sound, wantNotices, wantSound } from "./ringalert.js";
import { attempt } from "./parts.js";
import { t } from "./words.js";

/** How the page tells that the phone rings. Remembered by this browser. */
function RingSettings() {
  const notice = async (event) => {
    const box = event.currentTarget;
    if (!(await wantNotices(box.checked))) {
      box.checked = false;
      await attempt(() => { throw new Error(t("mine.notice-refused")); });
    }
  };
  return html`<section class="card ringing" aria-label=${t("mine.alert")}><h2>${t("mine.alert")}</h2>
    <p class="ticks">
      <label><input type="checkbox" checked=${notices.value} onChange=${notice} /> ${t("mine.notice")}</label>
      <label><input type="checkbox" checked=${sound.value} onChange=${(event) => wantSound(event.currentTarget.checked)} /> ${t("mine.sound")}</label>
    </p>
    ${sound.value && muted.value && html`<p class="hint warn" role="status"><span aria-hidden="true">◆</span> ${t("mine.sound-held")}</p>`}
    <p class="hint">${t("mine.alert-here")}</p>
  </section>`;
}

export function Mine() {
  const agent = agents.value.get(session.value.agent);
  if (!agent) return html`<main><p class="none">${t("no-such-agent")}</p></main>`;
  return html`<main class="mine">
    <div class="first">
      ${ownCalls.value.map((call) => html`<${Conversation} key=${call.id} call=${call} />`)}
      <${Standing} agent=${agent} />
      <${Today} agent=${agent} />
    </div>
    <div class="second">
      <${Phones} agent=${agent} />
      <${RingSettings} />
      <${News} agent=${agent} />
    </div>
  </main>`;
}
