/* The theme as the user chose it, here or on another page of theirs, and the operator's accent. */
const root = document.documentElement;

export function followTheme(host) {
  for (const button of document.querySelectorAll("[data-choose-theme]")) {
    button.addEventListener("click", () => choose(host, button.dataset.chooseTheme));
  }
  const me = document.querySelector('meta[name="user-id"]')?.content;
  host.subscribe("core-ui:theme:changed", ({ payload }) => {
    if (payload.user === me) show(payload.theme);
  });
  host.watch({ plugin: "core-ui", store: "look" }, (look) => {
    root.dataset.accent = look.accent;
    for (const brand of document.querySelectorAll("[data-brand]")) brand.textContent = look.brand;
  });
}

async function choose(host, theme) {
  const before = root.dataset.theme;
  show(theme); // at once: the answer of the host changes nothing but a failure
  try {
    await host.call("core-ui", "setTheme", { theme });
  } catch (error) {
    show(before);
    const detail = { text: `The theme was not saved: ${error.message}`, level: "danger" };
    document.dispatchEvent(new CustomEvent("core-ui:toast", { detail }));
  }
}

function show(theme) {
  root.dataset.theme = theme; // theme.js resolves it
  for (const button of document.querySelectorAll("[data-choose-theme]")) {
    button.setAttribute("aria-pressed", String(button.dataset.chooseTheme === theme));
  }
}
