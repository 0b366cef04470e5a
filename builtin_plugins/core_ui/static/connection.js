/* Shows whether the page is live. */
const TEXTS = { open: "Live", connecting: "Connecting…", reconnecting: "Reconnecting…", closed: "Disconnected" };
const PATIENCE = 600; // ms: a blip shorter than this is no news to anybody

export function showConnection(host) {
  let wasOpen = false;
  let timer;
  const show = (state) => {
    const text = document.querySelector("[data-connection-text]");
    if (text) text.textContent = TEXTS[state] ?? TEXTS.connecting;
    for (const dot of document.querySelectorAll("[data-connection-dot]")) dot.dataset.state = state;
  };
  host.on("state", (state) => {
    clearTimeout(timer);
    if (state === "open") {
      wasOpen = true;
      show("open");
    } else {
      const shown = wasOpen && state !== "closed" ? "reconnecting" : state;
      timer = setTimeout(show, PATIENCE, shown);
    }
  });
  host.ready.then(() => {
    wasOpen = true;
    show("open");
  });
}
