/* The menu: opens and closes the pages below an entry, and is fetched anew when plugins come and go. */
const CALM = 250; // ms: one switch often moves several plugins

export function followNavigation(host) {
  const place = document.getElementById("navigation");
  place.addEventListener("click", (event) => {
    const toggle = event.target.closest(".nav-toggle");
    if (toggle) flip(toggle);
  });
  let timer;
  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(() => refresh(place), CALM);
  };
  host.subscribe("core:plugin:*", later);
  host.on("gap", later); // what was missed may have been a plugin
  host.on("open", later);
}

function flip(toggle) {
  const isOpen = toggle.getAttribute("aria-expanded") === "true";
  toggle.setAttribute("aria-expanded", String(!isOpen));
  document.getElementById(toggle.getAttribute("aria-controls")).hidden = isOpen;
}

async function refresh(place) {
  const address = `${document.body.dataset.navigation}?path=${encodeURIComponent(location.pathname)}`;
  try {
    const answer = await fetch(address, { headers: { Accept: "text/html" } });
    if (!answer.ok) return; // the shell itself is being switched; the next page has what is right
    const focused = place.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    const opened = [...place.querySelectorAll('.nav-toggle[aria-expanded="true"]')].map((t) => t.getAttribute("aria-controls"));
    // Our own host's template, escaped by it; DOMParser runs no script.
    place.replaceChildren(...new DOMParser().parseFromString(await answer.text(), "text/html").body.children);
    for (const toggle of place.querySelectorAll('.nav-toggle[aria-expanded="false"]')) {
      if (opened.includes(toggle.getAttribute("aria-controls"))) flip(toggle);
    }
    if (focused) place.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
  } catch {
    // Offline: the connection's state says so, and a reconnect reports what happened meanwhile.
  }
}
