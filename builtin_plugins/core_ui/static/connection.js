/* Shows whether the page is live. */
const TEXTS = { connecting: "Connecting…", open: "Live", waiting: "Reconnecting…", closed: "Signed out" };
const PATIENCE = 600; // ms: a blip shorter than this is no news to anybody

export function showConnection(host) {
  let wasOpen = false;
  let timer;
  const show = (state) => {
    document.querySelector("[data-connection-text]").textContent = TEXTS[state];
    for (const dot of document.querySelectorAll("[data-connection-dot]")) dot.dataset.state = state;
  };
  const follow = (state) => {
    clearTimeout(timer);
    wasOpen ||= state === "open";
    // Each attempt to come back is "connecting" again; to the reader all of it is one thing.
    const shown = wasOpen && state === "connecting" ? "waiting" : state;
    if (state === "open" || state === "closed") show(state);
    else timer = setTimeout(show, PATIENCE, shown);
  };
  host.on("state", follow);
  follow(host.state);
}
