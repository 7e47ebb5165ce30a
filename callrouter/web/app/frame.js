// What stands around every view: where one is, how old the data are, language, colours, logging out.

import { html, signal, useEffect } from "../vendor/preact.js";
import { Sure } from "./acts.js";
import { endOwnSessions, logOut, session } from "./api.js";
import { age, connected, OLD, TOO_OLD } from "./live.js";
import { attempt, Toast } from "./parts.js";
import { route } from "./routes.js";
import { keep, kept, language, LANGUAGES, speak, t } from "./words.js";

const THEMES = ["auto", "light", "dark"];
const KEPT = "callrouter-theme";

const theme = signal(THEMES.includes(kept(KEPT)) ? kept(KEPT) : "auto");
export function paint() { document.documentElement.dataset.theme = theme.value; }

export function Languages() {
  return html`<label class="language"><span class="hidden">${t("language")}</span>
    <select value=${language.value} onChange=${(event) => speak(event.currentTarget.value)}>
      ${Object.entries(LANGUAGES).map(([id, item]) => html`<option key=${id} value=${id} lang=${id}>${item.name}</option>`)}
    </select></label>`;
}

/** How old the data are, once that can be noticed. What is too old to be read is greyed by the style sheet. */
export function Age() {
  const old = age.value >= OLD;
  const kind = old ? (age.value >= TOO_OLD ? "bad" : "warn") : connected.value ? "good" : "begin";
  useEffect(() => { document.documentElement.dataset.data = kind; }, [kind]);
  const told = kind === "begin" ? t("connecting") : kind === "good" ? t("live")
    : `${connected.value ? "" : `${t("reconnecting")} · `}${t("cut", { count: age.value })}`;
  // What is read out does not count seconds, or a screen reader would speak every second.
  return html`<span class=${`age ${kind}`}><span aria-hidden="true">${{ good: "●", begin: "○", warn: "◆", bad: "▲" }[kind]} ${told}</span>
    <span class="hidden" role="status">${kind === "good" ? t("live") : kind === "begin" ? t("connecting") : t(connected.value ? "data-old" : "reconnecting")}</span></span>`;
}

/** A view that stands in the menu of the person, and not among the others. */
const IN_MENU = "people";

export function Frame({ views, children }) {
  const next = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length];
  useEffect(paint, [theme.value]);
  return html`<header class="frame">
      <a class="logo" href="#">callrouter</a>
      <nav aria-label=${t("views")}>${views.filter((item) => item !== IN_MENU).map((item) => html`<a key=${item} href=${`#${item}`}
        aria-current=${route.value.name === item ? "page" : undefined}>${t(`view.${item}`)}</a>`)}</nav>
      <${Age} />
      <span class="own"><${Languages} />
      <button class="plain" onClick=${() => { theme.value = next; keep(KEPT, next); }} aria-label=${t(`theme.${theme.value}`)} title=${t(`theme.${theme.value}`)}>◐</button>
      <button class="plain wide" onClick=${() => document.documentElement.requestFullscreen?.()} aria-label=${t("full-screen")} title=${t("full-screen")}>⛶</button>
      <details class="menu"><summary><bdi>${session.value.name}</bdi></summary><div>
        <p>${t(`role.${session.value.role}`)}</p>
        <a class="button" href=${`#${IN_MENU}`} onClick=${(event) => event.currentTarget.closest("details").removeAttribute("open")}>${t(`view.${IN_MENU}`)}</a>
        <button onClick=${() => attempt(logOut)}>${t("log-out")}</button>
        <button onClick=${() => attempt(endOwnSessions)}>${t("log-out-everywhere")}</button>
      </div></details></span>
    </header>
    ${children}
    <${Sure} />
    <${Toast} />`;
}
