/* Dialogs with a form: resolve to what was done, and show at each field what the host refused of it. */

/* Opens *dialog*; *send* gets its form and may reject. Resolves to what *send* returned, or null if it was cancelled. */
export function fillIn(dialog, send) {
  const form = dialog.querySelector("form");
  clear(form);
  return new Promise((resolve) => {
    let done = null;
    form.onsubmit = async (event) => {
      event.preventDefault();
      const button = form.querySelector('[type="submit"]');
      button.disabled = true;
      clear(form);
      try {
        done = (await send(form)) ?? true;
        dialog.close();
      } catch (error) {
        point(form, error);
      } finally {
        button.disabled = false;
      }
    };
    dialog.querySelector("[data-cancel]").onclick = () => dialog.close();
    dialog.addEventListener("close", () => resolve(done), { once: true });
    dialog.showModal();
  });
}

function clear(form) {
  for (const place of form.querySelectorAll("[data-error]")) place.hidden = true;
  for (const field of form.elements) field.removeAttribute("aria-invalid");
}

function point(form, error) {
  const rest = [];
  for (const { path, message } of error.faults ?? []) {
    const name = path.split("/")[1] ?? "";
    const place = name && form.querySelector(`[data-error="${CSS.escape(name)}"]`);
    if (!place) {
      rest.push(message);
      continue;
    }
    place.textContent = message;
    place.hidden = false;
    form.elements[name]?.setAttribute?.("aria-invalid", "true");
  }
  if (rest.length || !error.faults?.length) {
    const place = form.querySelector('[data-error=""]');
    place.textContent = rest.join(" ") || error.message;
    place.hidden = false;
  }
  form.querySelector('[aria-invalid="true"]')?.focus();
}
