/* <core-chart>: a small chart in SVG. Set its `data` to {kind: "bars" | "line", series: [{label, points: [{x, y}]}]},
   x in milliseconds since the epoch or a word. It draws itself anew when its size changes, and carries a table for
   those who do not see it. Other plugins make one with document.createElement("core-chart"); they import nothing. */
const SVG = "http://www.w3.org/2000/svg";
const MARGIN = { top: 10, right: 8, bottom: 22, left: 40 };
const MOST_SERIES = 5;

class CoreChart extends HTMLElement {
  #data = { kind: "bars", series: [] };
  #watcher = new ResizeObserver(() => this.#draw());

  connectedCallback() {
    if (Object.hasOwn(this, "data")) {
      // Set before this module had defined the element: let the setter see it.
      const { data } = this;
      delete this.data;
      this.data = data;
    }
    this.#watcher.observe(this);
  }

  disconnectedCallback() {
    this.#watcher.disconnect();
  }

  set data(data) {
    this.#data = data;
    this.#draw();
  }

  get data() {
    return this.#data;
  }

  #draw() {
    const { clientWidth: width, clientHeight: height } = this;
    if (width < 40 || height < 40) return;
    const series = this.#data.series.slice(0, MOST_SERIES);
    const label = this.getAttribute("label") ?? series.map((one) => one.label).join(", ");
    this.replaceChildren(table(series, label));
    if (series.length > 1) this.prepend(legend(series));
    const above = series.length > 1 ? this.firstElementChild.offsetHeight + 4 : 0;
    this.append(picture(this.#data.kind, series, width, height - above, label));
  }
}
function picture(kind, series, width, height, label) {
  const svg = make("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label });
  const xs = series[0]?.points.map((point) => point.x) ?? [];
  const values = series.flatMap((one) => one.points.map((point) => point.y));
  const top = niceTop(Math.max(values.every(Number.isInteger) ? 2 : 0.001, ...values)); // counts have no halves
  const room = { width: width - MARGIN.left - MARGIN.right, height: height - MARGIN.top - MARGIN.bottom };
  const place = {
    x: (index) => MARGIN.left + ((index + 0.5) * room.width) / Math.max(1, xs.length),
    y: (value) => MARGIN.top + room.height * (1 - value / top),
    step: room.width / Math.max(1, xs.length),
    floor: MARGIN.top + room.height,
  };
  svg.append(...grid(top, place, width), ...ticks(xs, place, room.width));
  series.forEach((one, index) => svg.append(...(kind === "line" ? line : bars)(one, index, series.length, place)));
  return svg;
}

function bars({ label, points }, index, count, place) {
  const width = Math.max(1, (place.step * 0.72) / count);
  return points.map((point, at) => {
    const height = Math.max(point.y > 0 ? 1.5 : 0, place.floor - place.y(point.y));
    const x = place.x(at) - (width * count) / 2 + width * index;
    const bar = make("rect", { x, y: place.floor - height, width, height, rx: Math.min(2, width / 2), class: "chart-bar", "data-series": index });
    return titled(bar, `${label}: ${point.y} (${full(point.x)})`);
  });
}

function line({ label, points }, index, count, place) {
  if (points.length === 0) return [];
  const at = points.map((point, n) => `${place.x(n).toFixed(1)},${place.y(point.y).toFixed(1)}`);
  const path = `M${at.join("L")}`;
  const last = points.length - 1;
  const parts = [make("path", { d: path, class: "chart-line", "data-series": index })];
  if (count === 1) {
    parts.unshift(make("path", { d: `${path}L${place.x(last)},${place.floor}L${place.x(0)},${place.floor}Z`, class: "chart-area" }));
  }
  // Wide, invisible columns: a thin line is hard to point at.
  const marks = points.map((point, n) => {
    const column = make("rect", { x: place.x(n) - place.step / 2, y: MARGIN.top, width: place.step, height: place.floor - MARGIN.top, class: "chart-hit" });
    return titled(column, `${label}: ${point.y} (${full(point.x)})`);
  });
  return [...parts, ...(count === 1 ? marks : [])];
}

function grid(top, place, width) {
  return [0, top / 2, top].flatMap((value) => {
    const y = place.y(value);
    const text = make("text", { x: MARGIN.left - 8, y: y + 4, class: "chart-text", "text-anchor": "end" });
    text.textContent = compact(value);
    return [make("line", { x1: MARGIN.left, x2: width - MARGIN.right, y1: y, y2: y, class: "chart-grid" }), text];
  });
}

function ticks(xs, place, width) {
  const every = Math.max(1, Math.ceil(xs.length / Math.max(1, Math.floor(width / 80))));
  return xs.flatMap((x, index) => {
    if (index % every) return [];
    const text = make("text", { x: place.x(index), y: place.floor + 16, class: "chart-text", "text-anchor": "middle" });
    text.textContent = short(x, xs);
    return [text];
  });
}

function legend(series) {
  const list = document.createElement("ul");
  list.className = "chart-legend";
  list.setAttribute("aria-hidden", "true");
  for (const [index, one] of series.entries()) {
    const item = document.createElement("li");
    item.dataset.series = index;
    item.textContent = one.label;
    list.append(item);
  }
  return list;
}

function table(series, label) {
  const element = document.createElement("table");
  element.createCaption().textContent = label;
  const head = element.createTHead().insertRow();
  for (const text of ["", ...series.map((one) => one.label)]) head.append(Object.assign(document.createElement("th"), { textContent: text }));
  const body = element.createTBody();
  for (const [index, point] of (series[0]?.points ?? []).entries()) {
    const row = body.insertRow();
    row.append(Object.assign(document.createElement("th"), { textContent: full(point.x) }));
    for (const one of series) row.insertCell().textContent = one.points[index]?.y ?? "";
  }
  const unseen = document.createElement("div"); // a table itself cannot be made as small as it takes
  unseen.className = "visually-hidden";
  unseen.append(element);
  return unseen;
}

function make(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function titled(element, text) {
  element.append(Object.assign(make("title", {}), { textContent: text }));
  return element;
}

/* The next number of 1, 2, 4, 6, 8, 10 times a power of ten: its half is round as well. */
function niceTop(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * [1, 2, 4, 6, 8, 10].find((step) => step * power >= value);
}

const compact = (value) => new Intl.NumberFormat(undefined, { notation: "compact" }).format(value);

const full = (x) => (typeof x === "number" ? new Date(x).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" }) : x);

function short(x, xs) {
  if (typeof x !== "number") return x;
  const isLong = xs.at(-1) - xs[0] > 36 * 3600 * 1000;
  return new Date(x).toLocaleString(undefined, isLong ? { month: "short", day: "numeric" } : { hour: "2-digit", minute: "2-digit" });
}

// Last: an element that stands in the page already draws itself at once, and needs all of the above.
customElements.define("core-chart", CoreChart);
