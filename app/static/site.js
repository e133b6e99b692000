// What pages do better with JavaScript. Everything works without it.

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
for (const field of document.querySelectorAll("[data-browser-zone]")) field.value = zone ?? "";

// <form data-own-zone="Asia/Kolkata Asia/Calcutta" hidden>: offer the browser's zone, unless it is one of these.
for (const form of document.querySelectorAll("form[data-own-zone]")) {
  if (!zone || form.dataset.ownZone.split(" ").includes(zone)) continue;
  form.hidden = false;
  form.querySelector("button").textContent = `Use ${zone}, the time zone of this browser`;
}

// <section id="list" data-refresh="3">: fetch this page every 3 seconds and show the new section, while somebody
// looks and does not work in it. A link that was opened in another tab keeps its focus. A new section without the
// attribute ends it.
for (const section of document.querySelectorAll("[id][data-refresh]")) keepFresh(section.id);

let pressed = false;
for (const event of ["pointerdown", "pointerup", "pointercancel"])
  addEventListener(event, () => (pressed = event === "pointerdown"));

function keepFresh(id) {
  const seconds = document.getElementById(id)?.dataset.refresh;
  if (seconds) setTimeout(() => refresh(id).finally(() => keepFresh(id)), seconds * 1000);
}

async function refresh(id) {
  const focused = () => document.getElementById(id).querySelector(":focus");
  const busy = () => document.hidden || pressed || (focused() && !focused().matches("a"));
  if (busy()) return;
  try {
    const response = await fetch(location.href);
    if (!response.ok || response.redirected) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const fresh = page.getElementById(id);
    const old = document.getElementById(id);
    if (!fresh || busy() || fresh.isEqualNode(old)) return;
    const href = focused()?.getAttribute("href");
    old.replaceWith(fresh);
    if (href) fresh.querySelector(`a[href="${CSS.escape(href)}"]`)?.focus();
  } catch {
    // The server is away for a moment: the next turn asks again.
  }
}
