/* The dashboard's page: fetches each widget's data from its plugin, and keeps it fresh. */
import { connect } from "/static/corehost/corehost.js";
import { complain, initial, lay } from "./board.js";
import { RENDERERS, element } from "./renderers.js";

const CALM = 1000; // ms: a stream of updates refreshes a widget at most once in that time
const host = connect();
const me = document.querySelector('meta[name="user-id"]')?.content;
const live = new Map(); // widget id → {widget, card, waiting, ends}
let { widgets, layout, preferences } = initial;
let clock;

show();
host.watch({ plugin: "dashboard", store: "widgets" }, reload);
host.watch({ plugin: "dashboard", store: "preferences" }, prefer);
host.subscribe("dashboard:layout:changed", ({ payload }) => {
  if (payload.userId === me) reload();
});
host.subscribe("dashboard:widget:refreshed", ({ payload }) => soon(payload.widgetId));
for (const event of ["gap", "open"]) host.on(event, refreshAll); // what came meanwhile was missed
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) refreshAll();
});
prefer(preferences);

function show() {
  const count = lay(layout, widgets, (card, widget, _, isNew) => isNew && adopt(card, widget));
  for (const [id, { card, ends }] of live) {
    if (card.isConnected) continue;
    for (const end of ends) end();
    live.delete(id);
  }
  document.getElementById("board-empty").hidden = count > 0;
}

function adopt(card, widget) {
  const ends = (widget.updates ?? []).map((pattern) => host.subscribe(pattern, () => soon(widget.id)));
  live.set(widget.id, { widget, card, ends, waiting: undefined });
  card.querySelector(".widget-refresh").addEventListener("click", () => ask(widget.id));
  // After show() has put the card into the page: a chart measures its place.
  queueMicrotask(() => load(widget.id));
}

/* Asks the dashboard, which tells every open page to refresh the widget. */
async function ask(widgetId) {
  try {
    await host.request("dashboard:widget:refresh", { widgetId });
  } catch (error) {
    complain(`The widget was not refreshed: ${error.message}`);
  }
}

function soon(id) {
  const entry = live.get(id);
  if (!entry || entry.waiting || document.hidden) return;
  entry.waiting = setTimeout(() => {
    entry.waiting = undefined;
    load(id);
  }, CALM);
}

async function load(id) {
  const entry = live.get(id);
  if (!entry) return;
  const { widget, card } = entry;
  const { plugin, method, input } = widget.source;
  const body = card.querySelector(".widget-body");
  try {
    const data = await host.call(plugin, method, input);
    const render = RENDERERS[widget.type];
    if (render) render(body, data);
    else fail(body, `The dashboard cannot show a widget of type “${widget.type}”.`);
  } catch (error) {
    fail(body, error.message);
  } finally {
    body.removeAttribute("aria-busy");
  }
}

function fail(body, text) {
  const line = element("p", "widget-failed");
  const icon = element("i", "bi bi-exclamation-triangle");
  icon.setAttribute("aria-hidden", "true");
  line.append(icon, " ", text);
  body.replaceChildren(line);
}

function refreshAll() {
  for (const id of live.keys()) load(id);
}

async function reload() {
  try {
    [widgets, layout] = await Promise.all([host.call("dashboard", "getWidgets", {}), host.call("dashboard", "getLayout", {})]);
    show();
  } catch (error) {
    complain(`The dashboard could not be read: ${error.message}`);
  }
}

function prefer(chosen) {
  preferences = chosen;
  document.getElementById("board").toggleAttribute("data-compact", chosen.compactMode);
  clearInterval(clock);
  clock = setInterval(() => document.hidden || refreshAll(), chosen.refreshInterval * 1000);
}
