/* A dialog that shows a secret once: to be copied, and forgotten when it closes. */

/* Opens *dialog* with *secret*; resolves when it is closed. */
export function showSecret(dialog, secret) {
  const field = dialog.querySelector("#secret-text");
  const place = dialog.querySelector("[data-copied]");
  field.value = secret;
  place.textContent = "";
  dialog.querySelector("[data-copy]").onclick = () => copy(field, place);
  dialog.showModal();
  field.select();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve((field.value = "")), { once: true });
  });
}

async function copy(field, place) {
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
    place.textContent = "Copied.";
  } catch {
    place.textContent = "Your browser does not let pages copy; the text is selected.";
  }
}
