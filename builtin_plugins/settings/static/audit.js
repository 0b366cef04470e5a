/* The audit log, newest first, by filters. */
import { complain } from "./ask.js";

const PAGE = 100;
const body = document.getElementById("audit");
const form = document.getElementById("audit-filter");
const more = document.getElementById("audit-more");
let asked = 0;

form.addEventListener("input", () => list());
form.addEventListener("submit", (event) => event.preventDefault());
more.addEventListener("click", () => list(body.lastElementChild?.dataset.number));
list();

async function list(before) {
  const turn = ++asked;
  const wanted = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
  wanted.set("limit", PAGE);
  if (before) wanted.set("before", before);
  const answer = await fetch(`/api/audit?${wanted}`).catch(() => null);
  const said = await answer?.json().catch(() => null);
  if (turn !== asked) return; // somebody went on typing
  if (!answer?.ok) return complain(said?.detail ?? "The host does not answer. Try again.");
  if (!before) body.replaceChildren();
  body.append(...said.items.map(made));
  more.hidden = said.items.length < PAGE;
  document.getElementById("audit-none").hidden = body.childElementCount > 0;
}

function made(entry) {
  const row = document.createElement("tr");
  row.dataset.number = entry.number;
  row.dataset.outcome = entry.outcome;
  const times = entry.count > 1 ? ` ×${entry.count}` : "";
  const detail = Object.entries(entry.detail).map(([name, value]) => `${name}: ${value}`).join(", ");
  const when = new Date(entry.at * 1000).toLocaleString();
  for (const text of [when, entry.actor, entry.action + times, entry.subject, entry.outcome]) {
    row.append(Object.assign(document.createElement("td"), { textContent: text }));
  }
  row.children[3].append(Object.assign(document.createElement("small"), { textContent: detail }));
  return row;
}
