// Fields that ask for the browser's time zone.

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
for (const field of document.querySelectorAll("[data-browser-zone]")) field.value = zone ?? "";

// Times are in another zone than the browser's: offer its own. Without scripts they stay as they are.
for (const form of document.querySelectorAll("form[data-own-zone]")) {
  if (!zone || form.dataset.ownZone === zone) continue;
  form.hidden = false;
  form.querySelector("button").textContent = `Show times in ${zone}`;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    await fetch(form.action, { method: "POST", body: new FormData(form) });
    location.reload();
  });
}
