/* Shows new code at once: a page reloads when its plugin was, or the shell around it; code that does not hold is told. */
import { toast } from "./toasts.js";

const SHELL = "core-ui";

export function followReloads(host) {
  host.subscribe("core:plugin:reloaded", ({ payload }) => {
    if (payload.id === document.body.dataset.plugin || payload.id === SHELL) location.reload();
  });
  host.subscribe("core:plugin:not-reloaded", ({ payload }) => {
    toast({ title: `${payload.id} was not reloaded`, text: payload.error, level: "danger" });
  });
}
