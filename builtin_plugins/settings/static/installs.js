/* Installs, upgrades, rolls back and removes plugins, and shows how far each of these is; live, for those who may. */
import { connect } from "/static/corehost/corehost.js";
import { ask, complain } from "./ask.js";

const STEPS = {
  fetching: "Fetching and checking it",
  trying: "Trying it in a process of its own",
  switching: "Changing over",
  watching: "It runs, and is on trial: if it fails now, the version before comes back",
  removing: "Removing",
  ended: "Done",
};
const ORDER = Object.keys(STEPS);
const DOING = { install: "Installing", upgrade: "Upgrading", rollback: "Rolling back", remove: "Removing" };
const DONE = { install: "is installed", upgrade: "is upgraded", rollback: "is rolled back", remove: "is removed" };
const place = document.getElementById("jobs");
const template = document.getElementById("job-row");
const opener = document.getElementById("install-open");
const sheet = document.getElementById("source");
const removal = document.getElementById("remove");
const dismissed = new Set();
const begun = new Map(); // by job: how to begin it anew, for who began it here
const host = connect();
let mayInstall = false;
let wanted = null; // the plugin to upgrade, null to install another

opener.addEventListener("click", () => openSheet(null));
sheet.querySelector("[data-cancel]").addEventListener("click", () => sheet.close("no"));
sheet.querySelector("form").addEventListener("submit", submit);
host.subscribe("core:install:progress", ({ payload }) => show(payload));
for (const event of ["gap", "open"]) host.on(event, look);
export const ready = look();

/* Asks the host what is under way; whoever may not know may not install either. */
async function look() {
  const answer = await fetch("/api/jobs", { headers: { Accept: "application/json" } });
  mayInstall = answer.ok;
  opener.hidden = !mayInstall;
  if (mayInstall) for (const job of (await answer.json()).items) if (job.state === "running") show(job);
}

/* Gives a row of the list the buttons that its plugin can be changed by. */
export function offer(row, item) {
  const buttons = row.querySelector(".plugin-changes");
  buttons.hidden = !(mayInstall && item.installed);
  if (buttons.hidden) return;
  const name = item.manifest?.name ?? item.id;
  const { previous } = item.installed;
  const actions = {
    upgrade: () => openSheet(item),
    rollback: () => rollBack(item.id, name, previous),
    remove: () => remove(item.id, name),
  };
  for (const button of buttons.querySelectorAll("button")) {
    button.onclick = actions[button.dataset.do];
    button.setAttribute("aria-label", `${button.textContent} ${name}`);
  }
  buttons.querySelector('[data-do="rollback"]').hidden = !previous;
}

function openSheet(item) {
  wanted = item;
  const name = item?.manifest?.name ?? item?.id;
  sheet.querySelector("h2").textContent = item ? `Upgrade ${name}` : "Install a plugin";
  sheet.querySelector('[value="yes"]').textContent = item ? "Upgrade" : "Install";
  sheet.querySelector("form").reset();
  sheet.querySelector("#source-text").value = item?.installed.source ?? "";
  refuse("");
  sheet.showModal();
  sheet.querySelector("#source-text").focus();
}

async function submit(event) {
  event.preventDefault();
  const { source, file } = event.target.elements;
  const archive = file.files[0];
  if (!archive && !source.value.trim()) return refuse("Name a source, or choose a file.");
  const path = wanted ? `/api/plugins/${encodeURIComponent(wanted.id)}/version` : "/api/plugins";
  const query = archive ? `?name=${encodeURIComponent(archive.name)}` : "";
  const body = archive ?? JSON.stringify({ source: source.value.trim() });
  const method = wanted ? "PUT" : "POST";
  try {
    await begin(() => send(method, path + query, body, archive ? "application/zip" : "application/json"));
    sheet.close("yes");
  } catch (error) {
    refuse(error.message);
  }
}

async function begin(work) {
  const job = await work();
  begun.set(job.id, work);
  show(job);
  if (rowOf(job.id)?.dataset.state === "failed") seekConsent(job); // its end was told before the answer came
}

/* Asks the person to agree where a job failed only because nobody had yet, and begins it anew. */
async function seekConsent({ id }) {
  const work = begun.get(id);
  if (!begun.delete(id)) return;
  const { plugin, problem } = await (await fetch(`/api/jobs/${id}`)).json();
  if (!problem?.permissions) return;
  const path = `/api/plugins/${encodeURIComponent(plugin)}/grants`;
  await attempt(async () => {
    const { name, items } = await send("GET", path);
    const asked = items.filter((item) => problem.permissions.includes(item.permission));
    const agreed = await ask({
      title: `May ${name} do this?`,
      text: "It waits for your consent. From then on it may:",
      list: asked.map((item) => item.meaning),
      warning: "",
      yes: "Agree",
    });
    if (!agreed) return;
    const grants = Object.fromEntries(asked.map((item) => [item.permission, true]));
    await send("PUT", path, JSON.stringify({ grants }), "application/json");
    const row = rowOf(id);
    if (row) drop(row, id);
    await begin(work);
  });
}

function refuse(text) {
  const line = document.getElementById("source-error");
  line.textContent = text;
  line.hidden = !text;
}

async function rollBack(id, name, previous) {
  const agreed = await ask({
    title: `Roll ${name} back?`,
    text: `Version ${previous} comes back. What the plugin has kept stays as it is, unless the present version is still on trial.`,
    list: [],
    warning: "",
    yes: "Roll back",
  });
  if (agreed) await attempt(async () => show(await send("DELETE", `/api/plugins/${encodeURIComponent(id)}/version`)));
}

async function remove(id, name) {
  const others = await attempt(() => dependantsOf(id));
  if (!others) return;
  removal.querySelector("h2").textContent = `Remove ${name}?`;
  removal.querySelector("#remove-text p").textContent = others.length ? "These plugins need it and are switched off:" : "";
  removal.querySelector("ul").replaceChildren(...others.map((other) => Object.assign(document.createElement("li"), { textContent: other })));
  const purge = removal.querySelector("#remove-purge");
  purge.checked = false;
  removal.returnValue = "no"; // Escape leaves what was there before
  removal.showModal();
  await new Promise((resolve) => removal.addEventListener("close", resolve, { once: true }));
  if (removal.returnValue !== "yes") return;
  const query = `?remove=1${others.length ? "&cascade=1" : ""}${purge.checked ? "&purge=1" : ""}`;
  await attempt(() => send("DELETE", `/api/plugins/${encodeURIComponent(id)}${query}`));
}

async function dependantsOf(id) {
  const path = `/api/plugins/${encodeURIComponent(id)}/status?dryRun=1&cascade=1`;
  const { plan } = await send("PUT", path, JSON.stringify({ status: "disabled" }), "application/json");
  return plan.unload.filter((other) => other !== id);
}

async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    complain(error.message);
    return null;
  }
}

async function send(method, path, body, type) {
  const headers = { "X-CSRF-Token": document.querySelector('meta[name="csrf-token"]').content };
  if (type) headers["Content-Type"] = type;
  const answer = await fetch(path, { method, headers, body });
  const said = answer.status === 204 ? null : await answer.json();
  if (!answer.ok) throw new Error(said.detail ?? said.title);
  return said;
}

function show(job) {
  if (!job || dismissed.has(job.id)) return;
  const shown = rowOf(job.id);
  if (shown?.dataset.state === "failed") return; // an answer that was overtaken by the message of the end
  const row = shown ?? make(job);
  if (job.state === "done") return finish(row, job);
  const subject = [job.plugin ?? job.source, job.version].filter(Boolean).join(" ");
  row.dataset.state = job.state;
  row.querySelector("strong").textContent = `${DOING[job.action]} ${subject}${job.state === "failed" ? " failed" : ""}`;
  row.querySelector("span").textContent = job.error ?? STEPS[job.step];
  row.querySelector("progress").value = ORDER.indexOf(job.step) + 1;
  row.querySelector("progress").setAttribute("aria-label", `${DOING[job.action]} ${subject}`);
  row.querySelector("button").hidden = job.state === "running";
  place.hidden = false;
  if (job.state === "failed") seekConsent(job);
}

const rowOf = (id) => [...place.children].find((row) => row.dataset.id === id);

function make(job) {
  const row = template.content.firstElementChild.cloneNode(true);
  row.dataset.id = job.id;
  row.querySelector("button").addEventListener("click", () => drop(row, job.id));
  place.append(row);
  return row;
}

function finish(row, job) {
  drop(row, job.id);
  document.getElementById("announce").textContent = `${job.plugin} ${job.version ?? ""} ${DONE[job.action]}.`;
  const detail = { text: document.getElementById("announce").textContent, level: "success" };
  document.dispatchEvent(new CustomEvent("core-ui:toast", { detail }));
}

function drop(row, id) {
  const hadFocus = row.contains(document.activeElement);
  dismissed.add(id);
  row.remove();
  place.hidden = place.children.length === 0;
  if (hadFocus) opener.focus();
}
