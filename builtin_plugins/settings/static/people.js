/* Users, roles and tokens: shows what the host says of them, changes them, and follows them live. */
import { connect } from "/static/corehost/corehost.js";
import { ask } from "/static/corehost/host-api.js";
import { showSecret } from "/static/corehost/secret.js";
import { ask as agree, complain } from "./ask.js";
import { fillIn } from "./forms.js";
import { refreshSessions, showSessions } from "./sessions.js";

const host = connect();
const me = document.querySelector('meta[name="user-id"]').content;
const row = document.getElementById("person-row");
const CALM = 150; // ms: one change of a role is often followed by others
const DAY = 86_400;
let roles = [];
let timer;

document.getElementById("add-user").addEventListener("click", addUser);
document.getElementById("add-role").addEventListener("click", () => editRole(null));
host.subscribe("core:people:changed", later);
for (const event of ["gap", "open"]) host.on(event, later); // what came meanwhile was missed
load();

function later() {
  clearTimeout(timer);
  timer = setTimeout(load, CALM);
}

async function load() {
  try {
    const [users, known, tokens] = await Promise.all(["users", "roles", "tokens"].map((name) => ask("GET", `/api/${name}`)));
    roles = known.items;
    fill("users", users.items.map(userRow));
    fill("roles", roles.map(roleRow));
    fill("tokens", tokens.items.map(tokenRow), "No tokens yet.");
    await refreshSessions();
  } catch (error) {
    complain(`The people could not be listed: ${error.message}`);
  }
}

function fill(id, rows, none) {
  const list = document.getElementById(id);
  const held = document.activeElement?.dataset.key; // a button keeps the focus when its row is drawn anew
  const empty = Object.assign(document.createElement("li"), { className: "people-none", textContent: none });
  list.replaceChildren(...(rows.length || !none ? rows : [empty]));
  list.removeAttribute("aria-busy");
  if (held) list.querySelector(`[data-key="${CSS.escape(held)}"]`)?.focus();
}

function make(title, text, badge, tools) {
  const made = row.content.firstElementChild.cloneNode(true);
  made.querySelector("h3").textContent = title;
  made.querySelector("p").textContent = text;
  Object.assign(made.querySelector(".status-badge"), { textContent: badge?.[0] ?? "" }).dataset.level = badge?.[1] ?? "neutral";
  made.querySelector(".person-tools").append(...tools.filter(Boolean).map(([label, run]) => button(label, title, run)));
  return made;
}

function button(label, title, run) {
  const made = Object.assign(document.createElement("button"), { type: "button", className: "btn btn-outline-secondary btn-sm", textContent: label });
  made.dataset.key = `${label} ${title}`;
  made.setAttribute("aria-label", `${label}: ${title}`);
  made.addEventListener("click", async () => {
    try {
      await run();
    } catch (error) {
      complain(error.message);
    }
    later();
  });
  return made;
}

function userRow(user) {
  const badge = user.disabled ? ["disabled", "danger"] : user.hasPassword ? ["enabled", "success"] : ["no password", "warning"];
  const seen = user.seen ? `last signed in ${when(user.seen)}` : "never signed in";
  return make(user.id, `${user.roles.join(", ") || "no roles"}; ${seen}`, badge, [
    ["Edit", () => editUser(user)],
    ["Sessions", () => showSessions(user.id)],
    user.disabled ? null : ["Sign-in link", () => showLink(user.id)],
    user.disabled ? null : ["New token", () => makeToken(user.id)],
    [user.disabled ? "Enable" : "Disable", () => setDisabled(user)],
    ["Remove", () => removeUser(user)],
  ]);
}

function roleRow(role) {
  const text = `${role.description ? `${role.description} ` : ""}May: ${role.permissions.join(", ") || "nothing"}.`;
  return make(role.name, text, role.fixed ? ["fixed", "neutral"] : null, role.fixed ? [] : [["Edit", () => editRole(role)], ["Remove", () => removeRole(role)]]);
}

function tokenRow(token) {
  const scope = token.permissions ? token.permissions.join(", ") || "nothing" : "all that the user may";
  const text = `Of ${token.user}. May: ${scope}. Expires ${token.expires ? when(token.expires) : "never"}; ${token.used ? `last used ${when(token.used)}` : "never used"}.`;
  return make(token.name, text, null, [["Revoke", () => revoke(token)]]);
}

async function addUser() {
  const dialog = prepareUser(null, []);
  const made = await fillIn(dialog, (form) => {
    const password = form.elements.password.value;
    return ask("POST", "/api/users", { id: form.elements.id.value, roles: chosen(form), ...(password ? { password } : {}) });
  });
  if (!made) return;
  tell(`${made.id} is added.`);
  if (!made.hasPassword) await showLink(made.id).catch((error) => complain(error.message));
  later();
}

async function editUser(user) {
  const dialog = prepareUser(user, user.roles);
  const path = `/api/users/${encodeURIComponent(user.id)}`;
  const done = await fillIn(dialog, async (form) => {
    const wanted = chosen(form);
    if (wanted.join() !== [...user.roles].sort().join()) await ask("PATCH", path, { roles: wanted });
    const password = form.elements.password.value;
    if (password) await ask("PUT", `${path}/password`, { password });
  });
  if (done) tell(`${user.id} is changed.`);
}

function prepareUser(user, had) {
  const dialog = document.getElementById("user-dialog");
  const form = dialog.querySelector("form");
  form.reset();
  dialog.querySelector("h2").textContent = user ? `Edit ${user.id}` : "Add user";
  dialog.querySelector("[data-new]").hidden = Boolean(user);
  const isMe = user?.id === me; // one's own is changed where the present one is asked for
  form.elements.password.closest("div").hidden = isMe;
  document.getElementById("user-password-hint").textContent = user
    ? "Leave it empty to keep the present one. A new one ends the user's sessions."
    : "Leave it empty to get a one-use link, by which they choose one themselves.";
  dialog.querySelector("[data-roles]").replaceChildren(...roles.map((role) => roleChoice(role, had.includes(role.name))));
  return dialog;
}

function roleChoice({ name, description }, isChosen) {
  const label = Object.assign(document.createElement("label"), { className: "form-check" });
  const box = Object.assign(document.createElement("input"), { type: "checkbox", className: "form-check-input", name: "role", value: name, checked: isChosen });
  label.append(box, Object.assign(document.createElement("span"), { textContent: description ? `${name}: ${description}` : name }));
  return label;
}

const chosen = (form) => [...form.querySelectorAll('[name="role"]:checked')].map((box) => box.value).sort();

async function setDisabled(user) {
  const path = `/api/users/${encodeURIComponent(user.id)}`;
  if (!user.disabled && !(await sure(`Keep ${user.id} out?`, "Their sessions end and their tokens stop, at once.", "Disable"))) return;
  await ask("PATCH", path, { disabled: !user.disabled });
  tell(`${user.id} is ${user.disabled ? "enabled" : "disabled"}.`);
}

async function removeUser(user) {
  if (!(await sure(`Remove ${user.id}?`, "Their sessions, tokens and preferences go, too. This cannot be undone.", "Remove"))) return;
  await ask("DELETE", `/api/users/${encodeURIComponent(user.id)}`);
  tell(`${user.id} is removed.`);
}

async function showLink(id) {
  const link = await ask("POST", `/api/users/${encodeURIComponent(id)}/link`);
  await present(`Sign-in link for ${id}`, `It signs ${id} in, once, within ${link.seconds / 60} minutes. Whoever has it can use it.`, link.url);
}

async function makeToken(id) {
  const dialog = document.getElementById("token-dialog");
  dialog.querySelector("form").reset();
  dialog.querySelector("h2").textContent = `New token of ${id}`;
  const made = await fillIn(dialog, (form) => {
    const permissions = lines(form.elements.permissions.value);
    const body = { name: form.elements.name.value, lifetime: Number(form.elements.days.value) * DAY };
    return ask("POST", `/api/users/${encodeURIComponent(id)}/tokens`, permissions.length ? { ...body, permissions } : body);
  });
  if (made) await present("Copy this token now", "It is shown this once and kept nowhere.", made.secret);
}

async function revoke(token) {
  if (!(await sure(`Revoke ${token.name}?`, "Whatever uses it is turned away at once.", "Revoke"))) return;
  await ask("DELETE", `/api/tokens/${token.id}`);
  tell(`${token.name} is revoked.`);
}

async function editRole(role) {
  const dialog = document.getElementById("role-dialog");
  const form = dialog.querySelector("form");
  form.reset();
  dialog.querySelector("h2").textContent = role ? `Edit ${role.name}` : "Add role";
  dialog.querySelector("[data-new]").hidden = Boolean(role);
  form.elements.description.value = role?.description ?? "";
  form.elements.permissions.value = (role?.permissions ?? []).join("\n");
  const done = await fillIn(dialog, () => {
    const name = role?.name ?? form.elements.name.value.trim();
    if (!name) throw Object.assign(new Error(), { faults: [{ path: "/name", message: "Must not be empty." }] });
    const body = { permissions: lines(form.elements.permissions.value), description: form.elements.description.value };
    return ask("PUT", `/api/roles/${encodeURIComponent(name)}`, body);
  });
  if (done) tell(`The role ${done.name} is saved.`);
  later();
}

async function removeRole(role) {
  if (!(await sure(`Remove the role ${role.name}?`, "Whoever has it loses it, at once.", "Remove"))) return;
  await ask("DELETE", `/api/roles/${encodeURIComponent(role.name)}`);
  tell(`The role ${role.name} is removed.`);
}

function present(title, text, secret) {
  const dialog = document.getElementById("secret-dialog");
  dialog.querySelector("h2").textContent = title;
  dialog.querySelector("[data-text]").textContent = text;
  return showSecret(dialog, secret);
}

const sure = (title, text, yes) => agree({ title, text, list: [], warning: "", yes });

const lines = (text) => text.split(/[\s,]+/).filter(Boolean);

const when = (seconds) => new Date(seconds * 1_000).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });

const tell = (text) => (document.getElementById("announce").textContent = text);
