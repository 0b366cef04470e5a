/* One's own account: the password, the browsers that are signed in, and the tokens. */
import { browserOf } from "/static/corehost/browsers.js";
import { connect } from "/static/corehost/corehost.js";
import { ask } from "/static/corehost/host-api.js";
import { showSecret } from "/static/corehost/secret.js";

const page = document.querySelector(".account-page");
const own = `/api/users/${encodeURIComponent(page.dataset.user)}`;
const said = document.getElementById("said");
const DAY = 86_400;

hear(document.getElementById("password-form"), changePassword);
hear(document.getElementById("token-form"), makeToken);
const host = connect();
host.subscribe("core:people:changed", load);
for (const event of ["gap", "open"]) host.on(event, load); // what came meanwhile was missed
load();

function hear(form, change) {
  form.addEventListener("submit", change);
  form.querySelector('[type="submit"]').disabled = false;
}

async function load() {
  try {
    const [sessions, tokens] = await Promise.all([ask("GET", `${own}/sessions`), ask("GET", `${own}/tokens`)]);
    show("sessions", sessions.items.map(session));
    show("tokens", tokens.items.map(token));
  } catch (error) {
    say(`Your account could not be read: ${error.message}`);
  }
}

function show(id, rows) {
  const list = document.getElementById(id);
  const held = document.activeElement?.closest?.(`#${id} li`)?.dataset.id; // a row keeps the focus that it has
  list.replaceChildren(...rows);
  list.removeAttribute("aria-busy");
  if (held) list.querySelector(`[data-id="${CSS.escape(held)}"] button`)?.focus();
}

function session(one) {
  const words = `${browserOf(one.agent)}${one.current ? " (this browser)" : ""}`;
  const more = `${one.address ? `${one.address}, ` : ""}since ${when(one.created)}, last used ${when(one.seen)}`;
  const button = one.current ? null : action("End this session", `End the session in ${words}`, async () => {
    await ask("DELETE", `${own}/sessions/${one.id}`);
    say("The session has ended.");
  });
  return entry(one.id, words, more, button);
}

function token(one) {
  const scope = one.permissions ? one.permissions.join(", ") || "nothing" : "all that you may";
  const more = `May: ${scope}. Expires ${one.expires ? when(one.expires) : "never"}; ${one.used ? `last used ${when(one.used)}` : "never used"}.`;
  const button = action("Revoke", `Revoke the token ${one.name}`, async () => {
    await ask("DELETE", `/api/tokens/${one.id}`);
    say(`The token ${one.name} is revoked.`);
  });
  return entry(one.id, one.name, more, button);
}

function entry(id, title, more, button) {
  const row = make("li");
  row.dataset.id = id;
  const words = make("div", { className: "entry-words" });
  words.append(make("strong", { textContent: title }), make("span", { textContent: more }));
  row.append(words, ...(button ? [button] : []));
  return row;
}

function action(text, label, run) {
  const button = make("button", { type: "button", className: "btn btn-sm btn-quiet", textContent: text });
  button.setAttribute("aria-label", label);
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await run();
      await load();
    } catch (error) {
      button.disabled = false;
      say(error.message);
    }
  });
  return button;
}

async function changePassword(event) {
  event.preventDefault();
  const form = event.target;
  const body = { password: form.elements.password.value };
  if (form.elements.current) body.current = form.elements.current.value;
  if (!(await submit(form, () => ask("PUT", `${own}/password`, body)))) return;
  if (!form.elements.current) location.reload(); // the form of who has a password asks for the present one
  form.reset();
  say("Your password is changed. Other browsers are signed out.");
  await load();
}

async function makeToken(event) {
  event.preventDefault();
  const form = event.target;
  const permissions = form.elements.permissions.value.split(/[\s,]+/).filter(Boolean);
  const body = { name: form.elements.name.value, lifetime: Number(form.elements.days.value) * DAY };
  const made = await submit(form, () => ask("POST", `${own}/tokens`, permissions.length ? { ...body, permissions } : body));
  if (!made) return;
  form.reset();
  showSecret(document.getElementById("secret"), made.secret);
  await load();
}

/* Runs a change and shows at each field what was refused of it; returns what was answered, or false. */
async function submit(form, run) {
  for (const place of form.querySelectorAll(".wrong")) place.hidden = true;
  for (const field of form.elements) field.removeAttribute("aria-invalid");
  const button = form.querySelector('[type="submit"]');
  button.disabled = true;
  try {
    return (await run()) ?? true;
  } catch (error) {
    point(form, error);
    return false;
  } finally {
    button.disabled = false;
  }
}

function point(form, error) {
  const faults = error.faults ?? [];
  for (const { path, message } of faults) {
    const name = path.split("/")[1];
    const field = form.elements[name];
    const place = form.querySelector(`#${name}-error`);
    if (!field || !place) continue;
    place.textContent = message;
    place.hidden = false;
    field.setAttribute("aria-invalid", "true");
  }
  const first = form.querySelector('[aria-invalid="true"]');
  if (first) first.focus();
  else say(error.message);
}

function say(text) {
  said.textContent = text;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => (said.textContent = ""), 6_000);
}

const make = (tag, values = {}) => Object.assign(document.createElement(tag), values);

const when = (seconds) => new Date(seconds * 1_000).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
