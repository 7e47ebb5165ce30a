// The supervisor's page: the whole floor with controls.

import { html } from "../vendor/preact.js";
import { FloorAgents } from "./floor_agents.js";
import { FloorCalls } from "./floor_calls.js";

export const FloorView = () => html`<main class="floor"><${FloorCalls} /><${FloorAgents} /></main>`;
