// The beginning: the language, who is logged in, and the view that the address names.

import { effect, html, render, useEffect, useState } from "../vendor/preact.js";
import { session, whoAmI } from "./api.js";
import { Board } from "./board.js";
import { Frame, paint } from "./frame.js";
import { leave, watch } from "./live.js";
import { LogIn } from "./login.js";
import { Mine } from "./mine.js";
import { route, view } from "./routes.js";
import { isWall, openWall, Wall } from "./wall.js";
import { preferred, speak, t } from "./words.js";

/** A view whose module, and all that it alone needs, is loaded when it is first shown. */
const lazily = (load) => function Lazy() {
  const [found, setFound] = useState(null);
  const fetchIt = () => { setFound(null); load().then((view) => setFound({ view }), () => setFound({})); };
  useEffect(fetchIt, []);
  if (found?.view) return html`<${found.view} />`;
  return html`<main><p class="alone" role="status">${found ? html`${t("unreachable")} <button onClick=${fetchIt}>${t("try-again")}</button>` : "…"}</p></main>`;
};
const staff = (name) => lazily(async () => (await import("./staff.js"))[name]);

const VIEWS = {
  board: Board, mine: Mine,
  floor: staff("FloorView"), records: staff("Records"), mobiles: staff("Mobiles"), call: staff("CallPage"), agent: staff("AgentPage"),
  tables: lazily(async () => (await import("./tables.js")).Tables),
  reports: lazily(async () => (await import("./reports.js")).Reports),
  screens: lazily(async () => (await import("./screens.js")).Screens),
  cluster: lazily(async () => (await import("./cluster.js")).Cluster),
  people: lazily(async () => (await import("./people.js")).People),
};
/** Views of one thing, reached from the others. */
const LINKED = ["call", "agent", "screens"];

/** The views for a person, the first of which is theirs to begin with. */
function viewsOf(person) {
  if (person.agent) return ["mine", "board", "reports", "people"];
  if (person.role === "agent") return ["board", "reports", "people"];
  const cluster = person.role === "admin" && person.cluster ? ["cluster"] : [];
  return ["board", "floor", "records", "reports", "mobiles", "tables", ...cluster, "people"];
}

function Page() {
  const person = session.value;
  if (person === undefined) return html`<p class="alone">callrouter …</p>`;
  if (person === null) return html`<${LogIn} />`;
  const views = viewsOf(person);
  const linked = views.includes("floor") ? LINKED : [];
  const wanted = route.value.name;
  const shown = views.includes(wanted) || linked.includes(wanted) ? wanted : views[0];
  if (wanted !== shown) view.value = shown;
  return html`<${Frame} views=${views}><${VIEWS[shown]} key=${shown} /></${Frame}>`;
}

paint();
effect(() => { if (session.value) watch(); else leave(); });
await speak(preferred());
await (isWall ? openWall() : whoAmI()).catch(() => { session.value = null; });
const place = document.getElementById("page");
place.replaceChildren();
render(isWall ? html`<${Wall} />` : html`<${Page} />`, place);
