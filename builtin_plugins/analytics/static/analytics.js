/* The page of analytics: fetches counts and series, and again whenever more was recorded. */
import { connect } from "/static/corehost/corehost.js";

const host = connect();
const { step, periods, hours } = JSON.parse(document.getElementById("analytics").dataset.range);
const SHOWN_TYPES = 12;
let isLoading = false;
let isStale = false;

host.subscribe("analytics:data-updated", load);
for (const event of ["gap", "open"]) host.on(event, load); // what came meanwhile was missed
document.addEventListener("visibilitychange", () => document.hidden || load());
setInterval(load, 60_000); // time passes even when nothing is sent
load();

async function load() {
  if (document.hidden) return;
  if (isLoading) {
    isStale = true; // one more time when this one is done, however many asked
    return;
  }
  isLoading = true;
  try {
    await show();
  } catch (error) {
    document.dispatchEvent(new CustomEvent("core-ui:toast", { detail: { text: `Analytics did not answer: ${error.message}`, level: "danger" } }));
  } finally {
    isLoading = false;
  }
  if (isStale) {
    isStale = false;
    load();
  }
}

async function show() {
  const ask = (method, input) => host.call("analytics", method, input);
  const [volume, split, counts, recent, summary] = await Promise.all([
    ask("getSeries", { step, periods }),
    ask("getSeries", { step, periods, split: true }),
    ask("getCounts", { hours, limit: SHOWN_TYPES }),
    ask("getRecent", { limit: 12 }),
    ask("getSummary", {}),
  ]);
  document.getElementById("volume").data = volume;
  document.getElementById("split").data = split;
  showTypes(counts);
  showRecent(recent.items);
  showSummary(summary.items);
}

function showTypes({ items }) {
  const most = items[0]?.count ?? 1;
  document.getElementById("types-none").hidden = items.length > 0;
  document.getElementById("types").replaceChildren(
    ...items.map(({ type, count }) => {
      const row = document.createElement("tr");
      const name = make("th", "", "");
      name.scope = "row";
      const bar = make("span", "type-bar");
      bar.style.setProperty("inline-size", `${(100 * count) / most}%`);
      name.append(make("span", "type-name", type), bar);
      row.append(name, make("td", "tabular", count.toLocaleString()));
      return row;
    }),
  );
}

function showRecent(items) {
  document.getElementById("recent-none").hidden = items.length > 0;
  document.getElementById("recent").replaceChildren(
    ...items.map(({ title, detail, time }) => {
      const line = document.createElement("li");
      const words = make("div");
      words.append(make("span", "", title), make("small", "", detail));
      const when = make("time", "tabular", new Date(time).toLocaleTimeString());
      when.dateTime = new Date(time).toISOString();
      line.append(words, when);
      return line;
    }),
  );
}

function showSummary(items) {
  const stats = document.getElementById("summary").children;
  items.forEach(({ value, detail }, index) => {
    stats[index].querySelector(".stat-value").textContent = value.toLocaleString();
    stats[index].querySelector(".stat-detail").textContent = detail;
  });
}

function make(name, className = "", text) {
  const element = document.createElement(name);
  element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}
