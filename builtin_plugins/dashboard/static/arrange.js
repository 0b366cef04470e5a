/* The page on which a user arranges widgets, by mouse or by keyboard; each change is saved at once. */
import { connect } from "/static/corehost/corehost.js";
import { complain, initial, lay } from "./board.js";

const host = connect();
const board = document.getElementById("board");
const columns = document.getElementById("columns");
const HIGHEST = 4;
const STEPS = { narrower: ["w", -1], wider: ["w", 1], lower: ["h", -1], higher: ["h", 1] };
const KEYS = { ArrowLeft: "earlier", ArrowUp: "earlier", ArrowRight: "later", ArrowDown: "later", Delete: "hide" };
const SHIFTED = { ArrowLeft: "narrower", ArrowRight: "wider", ArrowUp: "lower", ArrowDown: "higher" };
let { widgets } = initial;
let layout = initial.layout;
let dragged;

show();
board.addEventListener("click", (event) => {
  const button = event.target.closest("[data-do]");
  if (button) act(button.closest(".widget").dataset.id, button.dataset.do, button);
});
board.addEventListener("keydown", (event) => {
  const grip = event.target.closest(".widget-grip");
  const action = grip && (event.shiftKey ? SHIFTED : KEYS)[event.key];
  if (!action) return;
  event.preventDefault();
  act(grip.closest(".widget").dataset.id, action, grip);
});
columns.addEventListener("change", () => {
  layout = { ...layout, columns: Number(columns.value) };
  keep(`${columns.value} columns`);
});
document.getElementById("reset").addEventListener("click", reset);
host.watch({ plugin: "dashboard", store: "widgets" }, refresh);

function titleOf(id) {
  return widgets.find((widget) => widget.id === id)?.title ?? id;
}

function show() {
  lay(layout, widgets, (card, widget, position, isNew) => {
    card.querySelector('[data-size="w"]').textContent = position.w;
    card.querySelector('[data-size="h"]').textContent = position.h;
    if (!isNew) return;
    card.querySelector(".widget-about").textContent = widget.description ?? "";
    card.querySelector("[data-grip-label]").textContent = `Move ${widget.title}`;
    card.querySelector(".widget-tools").setAttribute("aria-label", widget.title);
    makeDraggable(card);
  });
  columns.value = layout.columns;
  showHidden();
}

function showHidden() {
  const placed = new Set(layout.widgets.map(({ id }) => id));
  const rest = widgets.filter((widget) => !placed.has(widget.id));
  document.getElementById("hidden-none").hidden = rest.length > 0;
  document.getElementById("hidden").replaceChildren(
    ...rest.map((widget) => {
      const line = document.createElement("li");
      const words = document.createElement("div");
      words.append(Object.assign(document.createElement("strong"), { textContent: widget.title }));
      words.append(Object.assign(document.createElement("span"), { textContent: widget.description ?? "" }));
      const button = Object.assign(document.createElement("button"), { type: "button", className: "btn btn-outline-secondary btn-sm", textContent: "Show" });
      button.setAttribute("aria-label", `Show ${widget.title}`);
      button.addEventListener("click", () => reveal(widget));
      line.append(words, button);
      return line;
    }),
  );
}

function reveal(widget) {
  const size = widget.size ?? { w: 1, h: 1 };
  layout = { ...layout, widgets: [...layout.widgets, { id: widget.id, position: { x: 0, y: 0, ...size } }] };
  keep(`${widget.title} is shown, at the end`);
  board.lastElementChild?.querySelector(".widget-grip").focus();
}

function act(id, action, focused) {
  const index = layout.widgets.findIndex((placed) => placed.id === id);
  if (action === "hide") return hide(id);
  if (action === "earlier" || action === "later") move(index, index + (action === "later" ? 1 : -1));
  else resize(index, ...STEPS[action]);
  focused.focus();
}

function hide(id) {
  layout = { ...layout, widgets: layout.widgets.filter((placed) => placed.id !== id) };
  keep(`${titleOf(id)} is hidden`);
  document.querySelector(`#hidden [aria-label="${CSS.escape(`Show ${titleOf(id)}`)}"]`)?.focus();
}

function move(from, to) {
  const moved = [...layout.widgets];
  if (to < 0 || to >= moved.length || from === to) return;
  const [one] = moved.splice(from, 1);
  moved.splice(to, 0, one);
  layout = { ...layout, widgets: moved };
  keep(`${titleOf(one.id)} is at place ${to + 1} of ${moved.length}`);
}

function resize(index, side, by) {
  const placed = layout.widgets[index];
  const most = side === "w" ? layout.columns : HIGHEST;
  const size = Math.min(most, Math.max(1, placed.position[side] + by));
  if (size === placed.position[side]) return;
  const changed = { ...placed, position: { ...placed.position, [side]: size } };
  layout = { ...layout, widgets: layout.widgets.with(index, changed) };
  keep(`${titleOf(placed.id)} is ${changed.position.w} wide and ${changed.position.h} high`);
}

/* Shows and saves; the host arranges by order, so a widget's place is told by its index alone. */
async function keep(news) {
  show();
  document.getElementById("announce").textContent = news;
  const ordered = layout.widgets.map(({ id, position }, index) => ({ id, position: { ...position, w: Math.min(position.w, layout.columns), x: 0, y: index } }));
  try {
    await host.call("dashboard", "saveLayout", { layout: { columns: layout.columns, widgets: ordered } });
  } catch (error) {
    complain(`The layout was not saved: ${error.message}`);
  }
}

async function reset() {
  try {
    ({ layout } = await host.call("dashboard", "resetLayout", {}));
    show();
    document.getElementById("announce").textContent = "The layout is as it was at first";
  } catch (error) {
    complain(`The layout was not reset: ${error.message}`);
  }
}

async function refresh() {
  widgets = await host.call("dashboard", "getWidgets", {});
  show();
}

function makeDraggable(card) {
  const grip = card.querySelector(".widget-grip");
  grip.addEventListener("dragstart", (event) => {
    dragged = card.dataset.id;
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setDragImage(card, 12, 12);
    card.classList.add("is-dragged");
  });
  grip.addEventListener("dragend", () => {
    dragged = undefined;
    for (const other of board.children) other.classList.remove("is-dragged", "is-target");
  });
  card.addEventListener("dragover", (event) => {
    if (!dragged || dragged === card.dataset.id) return;
    event.preventDefault();
    card.classList.add("is-target");
  });
  card.addEventListener("dragleave", () => card.classList.remove("is-target"));
  card.addEventListener("drop", (event) => {
    event.preventDefault();
    const places = layout.widgets.map(({ id }) => id);
    move(places.indexOf(dragged), places.indexOf(card.dataset.id));
  });
}
