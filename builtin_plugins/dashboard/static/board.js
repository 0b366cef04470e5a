/* The grid of widgets: makes cards, puts them in order and gives each its size. */
const board = document.getElementById("board");
const template = document.getElementById("widget-card");

export const initial = JSON.parse(board.dataset.board);

/* Brings the cards in line with *layout*; cards that stay keep their element, and with it focus and content. */
export function lay(layout, widgets, decorate) {
  const known = new Map(widgets.map((widget) => [widget.id, widget]));
  const shown = layout.widgets.filter((placed) => known.has(placed.id));
  const old = new Map([...board.children].map((card) => [card.dataset.id, card]));
  board.dataset.columns = layout.columns;
  const cards = shown.map(({ id, position }) => {
    const card = old.get(id) ?? makeCard(known.get(id));
    card.dataset.w = Math.min(position.w, layout.columns);
    card.dataset.h = position.h;
    decorate(card, known.get(id), position, !old.has(id));
    return card;
  });
  for (const card of old.values()) if (!cards.includes(card)) card.remove();
  cards.forEach((card, index) => {
    // Only what is out of place moves: moving an element takes its focus away.
    if (board.children[index] !== card) board.insertBefore(card, board.children[index] ?? null);
  });
  return shown.length;
}

function makeCard(widget) {
  const card = template.content.firstElementChild.cloneNode(true);
  card.dataset.id = widget.id;
  card.setAttribute("aria-label", widget.title);
  card.querySelector(".widget-title").textContent = widget.title;
  card.querySelector(".widget-icon").classList.add("bi", `bi-${widget.icon ?? "square"}`);
  return card;
}

export function complain(text) {
  document.dispatchEvent(new CustomEvent("core-ui:toast", { detail: { text, level: "danger" } }));
}
