/* Reloads plugins, and shows in the row of each how its last reload went, whoever asked for it. */
import { connect } from "/static/corehost/corehost.js";
import { ask } from "/static/corehost/host-api.js";

const host = connect();
const running = new Set();
const faults = new Map(); // by plugin: why its new code does not run
const shown = new Map(); // by plugin: its row and what the host said of it

host.subscribe("core:plugin:reloaded", ({ payload }) => settle(payload.id, ""));
host.subscribe("core:plugin:not-reloaded", ({ payload }) => settle(payload.id, payload.error));

/* Gives a row of the list the button, and what is to be said of its plugin. */
export function offerReload(row, item) {
  shown.set(item.id, { row, item });
  row.querySelector('[data-do="reload"]').onclick = () => reload(item.id);
  paint(item.id);
}

function paint(id) {
  const { row, item } = shown.get(id);
  const name = item.manifest?.name ?? id;
  const isRunning = running.has(id);
  const button = row.querySelector('[data-do="reload"]');
  if (isRunning || item.status === "enabled" || item.status === "error") button.hidden = false;
  // Not while it is on its way: the answer may come before the list does, and hiding would take the focus away.
  else if (item.status === "disabled") button.hidden = true;
  button.setAttribute("aria-label", isRunning ? `Reloading ${name}` : `Reload ${name}`);
  button.setAttribute("aria-busy", isRunning); // not disabled: that would take the focus away
  const fault = item.status === "enabled" ? faults.get(id) : ""; // else the reason of the error is told
  row.querySelector(".plugin-fault").hidden = !fault;
  row.querySelector(".plugin-fault span").textContent = fault ?? "";
}

async function reload(id) {
  if (running.has(id)) return;
  running.add(id);
  paint(id);
  const name = shown.get(id).item.manifest?.name ?? id;
  let fault = "";
  try {
    const said = await ask("PUT", `/api/plugins/${encodeURIComponent(id)}/status?reload=1`, { status: "enabled" });
    const isDone = said.status === "enabled";
    document.getElementById("announce").textContent = isDone ? `${name} is reloaded.` : `${name} takes its time; its status follows.`;
  } catch (error) {
    fault = error.message;
  }
  running.delete(id);
  settle(id, fault);
}

function settle(id, fault) {
  faults.set(id, fault);
  if (shown.has(id)) paint(id);
}
