// The views of supervisors and admins, as one module that is loaded when the first of them is shown.

export { AgentPage } from "./agent_page.js";
export { CallPage } from "./call_page.js";
export { FloorView } from "./floor.js";
export { Mobiles } from "./mobiles.js";
export { Records } from "./records.js";
