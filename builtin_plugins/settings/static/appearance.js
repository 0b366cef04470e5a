/* The choice of theme, through the message that any page or plugin may send. */
import { connect } from "/static/corehost/corehost.js";

const host = connect();
const themes = document.getElementById("themes");
const me = document.querySelector('meta[name="user-id"]')?.content;

themes.addEventListener("change", async ({ target }) => {
  try {
    await host.request("settings:update", { theme: target.value });
  } catch (error) {
    const detail = { text: `The theme was not saved: ${error.message}`, level: "danger" };
    document.dispatchEvent(new CustomEvent("core-ui:toast", { detail }));
  }
});
host.subscribe("settings:theme:changed", ({ payload }) => {
  if (payload.user === me) themes.querySelector(`[value="${payload.theme}"]`).checked = true;
});
