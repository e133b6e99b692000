// What pages do better with JavaScript. Everything works without it.

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
for (const field of document.querySelectorAll("[data-browser-zone]")) field.value = zone ?? "";

// <section id="list" data-refresh="3">: fetch this page every 3 seconds and show the new section, while somebody
// looks and does not work in it.
for (const { id, dataset } of document.querySelectorAll("[id][data-refresh]")) {
  setInterval(() => refresh(id), dataset.refresh * 1000);
}

async function refresh(id) {
  const shown = document.getElementById(id);
  if (document.hidden || !shown || shown.contains(document.activeElement)) return;
  try {
    const response = await fetch(location.href, { headers: { "X-Refresh": "1" } });
    if (!response.ok || response.redirected) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const fresh = page.getElementById(id);
    if (fresh && !shown.contains(document.activeElement) && fresh.innerHTML !== shown.innerHTML) {
      shown.replaceWith(fresh);
    }
  } catch {
    // The server is away for a moment: the next turn asks again.
  }
}
