/* Toasts: for messages "notification:show" {text, title?, level?}, and for the DOM event "core-ui:toast" of other modules. */
const ICONS = { info: "info-circle", success: "check-circle", warning: "exclamation-triangle", danger: "exclamation-octagon" };
const SHOWN = 6000; // ms
const MOST = 4;

export function followToasts(host) {
  host.subscribe("notification:show", (message) => toast(message.payload));
  document.addEventListener("core-ui:toast", (event) => toast(event.detail));
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-toast]");
    if (button) toast({ text: button.dataset.toast, level: button.dataset.toastLevel });
  });
}

export function toast({ text, title, level = "info" }) {
  const area = document.getElementById("toasts");
  const element = build(text, title, level in ICONS ? level : "info");
  area.append(element);
  while (area.children.length > MOST) area.firstElementChild.remove();
  stay(element);
}

function build(text, title, level) {
  const element = document.createElement("div");
  element.className = "toast-line";
  element.dataset.level = level;
  // What went wrong interrupts a screen reader; the rest waits its turn in the polite area.
  if (level === "danger") element.setAttribute("role", "alert");
  const icon = document.createElement("i");
  icon.className = `bi bi-${ICONS[level]}`;
  icon.setAttribute("aria-hidden", "true");
  const words = document.createElement("div");
  words.className = "toast-words";
  if (title) words.append(Object.assign(document.createElement("strong"), { textContent: title }));
  words.append(Object.assign(document.createElement("span"), { textContent: text }));
  const close = document.createElement("button");
  close.type = "button";
  close.className = "btn-close";
  close.setAttribute("aria-label", "Dismiss");
  close.addEventListener("click", () => element.remove());
  element.append(icon, words, close);
  return element;
}

/* A toast leaves by itself, unless somebody points at it or is inside of it with the keyboard. */
function stay(element) {
  let timer;
  const start = () => {
    timer = setTimeout(() => element.remove(), SHOWN);
  };
  const hold = () => clearTimeout(timer);
  for (const type of ["pointerenter", "focusin"]) element.addEventListener(type, hold);
  for (const type of ["pointerleave", "focusout"]) element.addEventListener(type, start);
  start();
}
