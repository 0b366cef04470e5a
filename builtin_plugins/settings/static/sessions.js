/* A dialog of the browsers in which one user is signed in; ends their sessions. */
import { browserOf } from "/static/corehost/browsers.js";
import { ask } from "/static/corehost/host-api.js";

const dialog = document.getElementById("sessions-dialog");
const list = dialog.querySelector("ul");
const all = dialog.querySelector("[data-all]");
const fault = dialog.querySelector('[role="alert"]');
const said = dialog.querySelector('[role="status"]');
let path = "";
let shown = [];

all.addEventListener("click", () => end(shown.filter((one) => !one.current), "All these sessions have ended."));

export async function showSessions(id) {
  path = `/api/users/${encodeURIComponent(id)}/sessions`;
  dialog.querySelector("h2").textContent = `Sessions of ${id}`;
  said.textContent = "";
  list.replaceChildren();
  await refresh();
  dialog.showModal();
}

export async function refreshSessions() {
  if (dialog.open) await refresh();
}

async function refresh() {
  shown = (await ask("GET", path)).items;
  const held = document.activeElement?.dataset.session;
  const none = Object.assign(document.createElement("li"), { className: "people-none", textContent: "Signed in nowhere." });
  list.replaceChildren(...(shown.length ? shown.map(row) : [none]));
  all.hidden = shown.filter((one) => !one.current).length < 2;
  fault.hidden = true;
  if (held) (list.querySelector(`[data-session="${CSS.escape(held)}"]`) ?? list.querySelector("button") ?? dialog.querySelector('[type="submit"]')).focus();
}

function row(one) {
  const made = document.getElementById("person-row").content.firstElementChild.cloneNode(true);
  const name = browserOf(one.agent);
  made.querySelector("h3").textContent = name;
  made.querySelector("p").textContent = `${one.address ? `${one.address}, ` : ""}since ${when(one.created)}, last used ${when(one.seen)}`;
  Object.assign(made.querySelector(".status-badge"), { textContent: one.current ? "this browser" : "" }).dataset.level = "neutral";
  if (!one.current) made.querySelector(".person-tools").append(button(one, name));
  return made;
}

function button(one, name) {
  const made = Object.assign(document.createElement("button"), { type: "button", className: "btn btn-outline-secondary btn-sm", textContent: "End" });
  made.dataset.session = one.id;
  made.setAttribute("aria-label", `End the session in ${name}`);
  made.addEventListener("click", () => end([one], `The session in ${name} has ended.`));
  return made;
}

async function end(sessions, words) {
  try {
    for (const one of sessions) await ask("DELETE", `${path}/${one.id}`);
    said.textContent = words;
    await refresh();
  } catch (error) {
    Object.assign(fault, { textContent: error.message, hidden: false });
  }
}

const when = (seconds) => new Date(seconds * 1_000).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
