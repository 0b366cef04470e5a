/* Asks a person before something happens, and tells them when it did not. */
const dialog = document.getElementById("ask");

/* Resolves to whether they agreed. */
export function ask({ title, text, list, warning, yes }) {
  dialog.querySelector("h2").textContent = title;
  dialog.querySelector("#ask-text p").textContent = text;
  dialog.querySelector("ul").replaceChildren(...list.map((name) => Object.assign(document.createElement("li"), { textContent: name })));
  const line = dialog.querySelector(".ask-warning");
  line.textContent = warning;
  line.hidden = !warning;
  dialog.querySelector('[value="yes"]').textContent = yes;
  dialog.returnValue = "no"; // Escape leaves what was there before
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

export function complain(text) {
  document.dispatchEvent(new CustomEvent("core-ui:toast", { detail: { text, level: "danger" } }));
}
