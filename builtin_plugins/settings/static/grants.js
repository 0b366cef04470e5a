/* What a plugin may do, with a switch for each permission that it asks for. */
import { complain } from "./ask.js";

const section = document.getElementById("grants");
const address = `/api/plugins/${encodeURIComponent(section.dataset.plugin)}/grants`;
const list = section.querySelector("ul");
const row = section.querySelector("template").content.firstElementChild;

show(await load(address));

function show(said) {
  if (!said?.items.length) return;
  list.replaceChildren(...said.items.map((item) => made(item, said.awaits.includes(item.permission))));
  section.hidden = false;
}

function made(item, isAwaited) {
  const one = row.cloneNode(true);
  const box = one.querySelector("input");
  box.id = `grant-${item.permission}`;
  box.checked = item.granted;
  box.addEventListener("change", () => decide(box, item));
  one.querySelector("label").htmlFor = box.id;
  one.querySelector("label").textContent = item.meaning;
  one.querySelector("code").textContent = item.permission;
  one.querySelector("span").textContent = isAwaited ? "Waits for your decision." : item.by ? `Decided by ${item.by.replace("user:", "")}.` : "";
  return one;
}

async function decide(box, item) {
  box.disabled = true;
  const said = await load(address, {
    method: "PUT",
    headers: { "Content-Type": "application/json", "X-CSRF-Token": document.querySelector('meta[name="csrf-token"]').content },
    body: JSON.stringify({ grants: { [item.permission]: box.checked } }),
  });
  if (said) {
    show(said);
    if (said.status === "error") complain(`${said.name} cannot do without this, and is off.`);
    document.getElementById(box.id)?.focus();
  } else {
    box.disabled = false;
    box.checked = item.granted;
  }
}

/* Resolves to what was answered; what was refused is told to the person. */
async function load(path, options) {
  try {
    const answer = await fetch(path, options);
    const said = await answer.json();
    if (answer.ok) return said;
    if (options) complain(said.detail ?? said.title);
  } catch {
    complain("The host does not answer. Try again.");
  }
  return null;
}
