// The beginning: the language, who is logged in, and the view that the address names.

import { effect, html, render } from "../vendor/preact.js";
import { session, whoAmI } from "./api.js";
import { Board } from "./board.js";
import { FloorView } from "./floor.js";
import { Frame, paint, view } from "./frame.js";
import { leave, watch } from "./live.js";
import { LogIn } from "./login.js";
import { Mine } from "./mine.js";
import { preferred, speak } from "./words.js";

const VIEWS = { board: Board, mine: Mine, floor: FloorView };

/** The views for a person, the first of which is theirs to begin with. */
function viewsOf(person) {
  if (person.agent) return ["mine", "board"];
  return person.role === "agent" ? ["board"] : ["board", "floor"];
}

function Page() {
  const person = session.value;
  if (person === undefined) return html`<p class="alone">callrouter …</p>`;
  if (person === null) return html`<${LogIn} />`;
  const views = viewsOf(person);
  const shown = views.includes(view.value) ? view.value : views[0];
  if (view.value !== shown) view.value = shown;
  return html`<${Frame} views=${views}><${VIEWS[shown]} /></${Frame}>`;
}

paint();
effect(() => { if (session.value) watch(); else leave(); });
await Promise.all([speak(preferred()), whoAmI().catch(() => { session.value = null; })]);
const place = document.getElementById("page");
place.replaceChildren();
render(html`<${Page} />`, place);
