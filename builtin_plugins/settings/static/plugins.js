/* The list of plugins: shows what the host says of each, switches them on and off, and follows them live. */
import { connect } from "/static/corehost/corehost.js";
import { ask, complain } from "./ask.js";
import { offer, ready } from "./installs.js";
import { offerReload } from "./reload.js";

const host = connect();
const place = document.getElementById("plugins");
const template = document.getElementById("plugin-row");
const filter = document.getElementById("filter");
const SELF = "settings";
const CALM = 150; // ms: one switch often moves several plugins
const PENDING = new Set(["loading", "unloading"]);
let items = [];
let timer;
let asked = 0;

filter.addEventListener("input", sift);
host.subscribe("core:plugin:*", later);
host.watch({ plugin: SELF, store: "overview" }, (overview) => {
  for (const [name, count] of Object.entries(overview)) document.querySelector(`[data-count="${name}"]`).textContent = count;
  document.querySelector("[data-failing]").hidden = overview.failing === 0;
  later();
});
for (const event of ["gap", "open"]) host.on(event, later); // what came meanwhile was missed
ready.finally(load); // what may be done decides which buttons there are

function later() {
  clearTimeout(timer);
  timer = setTimeout(load, CALM);
}

async function load() {
  const turn = ++asked;
  try {
    const answer = await fetch("/api/plugins/manifest", { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(`the host answered ${answer.status}`);
    const said = await answer.json();
    if (turn !== asked) return; // answers may come in another order than they were asked for
    items = said.items;
    show();
  } catch (error) {
    if (turn === asked) complain(`The plugins could not be listed: ${error.message}.`);
  }
}

function show() {
  const rows = new Map([...place.children].map((row) => [row.dataset.id, row]));
  const shown = items.map((item) => fill(rows.get(item.id) ?? make(item), item));
  for (const row of [...place.children]) if (!shown.includes(row)) row.remove();
  shown.forEach((row, index) => {
    // Only what is out of place moves: moving an element takes its focus away.
    if (place.children[index] !== row) place.insertBefore(row, place.children[index] ?? null);
  });
  place.removeAttribute("aria-busy");
  sift();
}

function make(item) {
  const row = template.content.firstElementChild.cloneNode(true);
  row.dataset.id = item.id;
  const toggle = row.querySelector("input");
  toggle.addEventListener("change", () => flip(item.id, toggle));
  return row;
}

function fill(row, item) {
  const { id, status, error, manifest, permissions, source } = item;
  const name = manifest?.name ?? id;
  row.dataset.words = `${id} ${name} ${manifest?.description ?? ""}`.toLowerCase();
  row.querySelector(".plugin-icon .bi").className = `bi bi-${iconOf(manifest)}`;
  row.querySelector("h2").textContent = name;
  row.querySelector(".plugin-version").textContent = manifest?.version ?? "";
  row.querySelector(".plugin-description").textContent = manifest?.description ?? "";
  const badge = row.querySelector(".status-badge");
  const sleeps = status === "enabled" && !item.loaded;
  badge.textContent = sleeps ? "not loaded yet" : status;
  badge.title = sleeps ? "Enabled; its first use loads it" : "";
  badge.dataset.level = sleeps ? "info" : ({ enabled: "success", error: "danger", disabled: "neutral" }[status] ?? "info");
  row.querySelector(".plugin-error").hidden = !error;
  row.querySelector(".plugin-error span").textContent = error ?? "";
  const facts = { id, source: item.installed ? `installed from ${item.installed.source}` : describe(source), dependencies: needs(manifest), permissions: permissions.join(", ") || "none" };
  for (const [fact, text] of Object.entries(facts)) row.querySelector(`[data-fact="${fact}"]`).textContent = text;
  const proof = row.querySelector('[data-fact="proof"]');
  proof.textContent = item.proof?.text ?? "";
  proof.hidden = proof.previousElementSibling.hidden = !item.proof;
  const configure = row.querySelector("[data-configure]");
  configure.hidden = !Object.keys(manifest?.configSchema?.properties ?? {}).length && !manifest?.permissions?.length;
  configure.href = `/settings/plugins/${id}`;
  configure.setAttribute("aria-label", `Configure ${name}`);
  const toggle = row.querySelector("input");
  toggle.checked = status === "enabled" || status === "loading" || status === "loaded";
  toggle.disabled = PENDING.has(status);
  toggle.setAttribute("aria-label", name);
  offer(row, item);
  offerReload(row, item);
  return row;
}

const iconOf = (manifest) => (/^[a-z0-9-]+$/.test(manifest?.icon ?? "") ? manifest.icon : "puzzle");

const describe = (source) => `${source.type}${source.url || source.path ? `: ${source.url ?? source.path}` : ""}`;

const needs = (manifest) =>
  (manifest?.dependencies ?? []).map((one) => `${one.pluginId} ${one.version}${one.optional ? " (optional)" : ""}`).join(", ") || "nothing";

function sift() {
  const words = filter.value.trim().toLowerCase();
  let count = 0;
  for (const row of place.children) {
    row.hidden = Boolean(row.dataset.words) && !row.dataset.words.includes(words);
    count += row.hidden ? 0 : 1;
  }
  document.getElementById("plugins-none").hidden = count > 0;
}

async function flip(id, toggle) {
  const status = toggle.checked ? "enabled" : "disabled";
  toggle.disabled = true;
  try {
    await change(id, status, status === "disabled" ? await agree(id) : "");
  } catch (error) {
    if (error.message) complain(error.message);
  } finally {
    toggle.disabled = false;
    await load(); // what the host says holds, whatever the switch shows
    toggle.focus();
  }
}

/* Asks the host what would go along, and the person if anything does; returns the query of the change. */
async function agree(id) {
  const dependants = await dependantsOf(id);
  const isSelf = id === SELF || dependants.includes(SELF);
  if (dependants.length === 0 && !isSelf) return "";
  const agreed = await ask({
    title: `Switch off ${nameOf(id)}?`,
    text: dependants.length ? "These plugins need it and are switched off, too:" : "",
    list: dependants.map(nameOf),
    warning: isSelf ? `This page goes with it. To come back: corehost plugin enable ${SELF}` : "",
    yes: dependants.length ? "Switch all off" : "Switch off",
  });
  if (!agreed) throw new Error("");
  return dependants.length ? "?cascade=1" : "";
}

async function dependantsOf(id) {
  const answer = await put(id, "disabled", "?dryRun=1&cascade=1");
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.detail);
  return said.plan.unload.filter((other) => other !== id);
}

async function change(id, status, query) {
  const answer = await put(id, status, query);
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.detail ?? said.title);
  const text = answer.status === 202 ? `${nameOf(id)} takes its time; its status follows.` : `${nameOf(id)} is ${said.status}.`;
  document.getElementById("announce").textContent = text;
}

function put(id, status, query) {
  return fetch(`/api/plugins/${encodeURIComponent(id)}/status${query}`, {
    method: "PUT",
    headers: { "Content-Type": "application/json", "X-CSRF-Token": document.querySelector('meta[name="csrf-token"]').content },
    body: JSON.stringify({ status }),
  });
}

function nameOf(id) {
  return items.find((item) => item.id === id)?.manifest?.name ?? id;
}
