/* Draws a widget's data, one function a type. Text always goes in as text, never as markup. */
export const RENDERERS = { statistics, chart, list, text };

function statistics(body, { items }) {
  const row = element("div", "stat-row");
  for (const { label, value, detail } of items) {
    const stat = element("div", "stat");
    const shown = typeof value === "number" ? new Intl.NumberFormat().format(value) : value;
    stat.append(element("span", "stat-label", label), element("span", "stat-value", shown));
    if (detail) stat.append(element("span", "stat-detail", detail));
    row.append(stat);
  }
  body.replaceChildren(row);
}

function chart(body, data) {
  // The same element is kept, so that a refresh redraws instead of flickering.
  const shown = body.querySelector("core-chart") ?? document.createElement("core-chart");
  shown.data = data;
  if (body.firstElementChild !== shown || body.children.length > 1) body.replaceChildren(shown);
}

function list(body, { items }) {
  if (items.length === 0) return body.replaceChildren(element("p", "widget-none", "Nothing yet."));
  const lines = element("ul", "widget-list");
  for (const { title, detail, time, href } of items) {
    const line = element("li");
    const words = element("div", "widget-words");
    const name = href?.startsWith("/") ? Object.assign(element("a", "", title), { href }) : element("span", "", title);
    words.append(name);
    if (detail) words.append(element("small", "", detail));
    line.append(words);
    if (time) line.append(timeOf(time));
    lines.append(line);
  }
  body.replaceChildren(lines);
}

function text(body, data) {
  body.replaceChildren(element("p", "widget-text", data.text));
}

function timeOf(milliseconds) {
  const date = new Date(milliseconds);
  const isToday = date.toDateString() === new Date().toDateString();
  const shown = isToday ? date.toLocaleTimeString() : date.toLocaleString(undefined, { dateStyle: "short", timeStyle: "short" });
  const time = element("time", "tabular", shown);
  time.dateTime = date.toISOString();
  return time;
}

export function element(name, className = "", content) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (content !== undefined) made.textContent = content;
  return made;
}
