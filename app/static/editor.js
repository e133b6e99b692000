// The editor of posts: keeps what is typed on the server, and shows the preview. Saving works without it.

const form = document.querySelector("[data-editor]");
const kept = form.querySelector("[data-kept]");
const preview = document.getElementById("preview");
const PAUSE = 1000, AT_LATEST = 5000, AGAIN = 5000; // ms
const AS_IT_LEAVES = 60_000; // bytes that a browser sends for a page that is closed

// A page that a browser brings back goes on counting: the server ignores what was changed before.
let change = Number(form.elements.change.value), stored = change, failing = false, due = 0, keeping, showing;

form.addEventListener("input", () => {
  form.elements.change.value = change += 1;
  due ||= Date.now() + AT_LATEST;
  later(Math.min(PAUSE, due - Date.now()));
  clearTimeout(showing);
  showing = setTimeout(show, 400);
});

function later(ms) {
  clearTimeout(keeping);
  keeping = setTimeout(keep, Math.max(ms, 0));
}

async function keep(leaving = false) {
  if (change === stored) return;
  const mine = change;
  due = 0;
  try {
    const answer = await fetch(form.dataset.keep, { method: "POST", body: fields({ change: mine }), keepalive: leaving === true, redirect: "error" });
    if (answer.status === 410) {
      beAnotherTab();
      return keep(leaving);
    }
    if (!answer.ok) throw new Error(answer.status);
    stored = Math.max(stored, mine);
    say(`Kept at ${new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}, not saved yet.`);
  } catch {
    say("What you typed last is not kept: the site does not answer, or you are signed out. Trying again.", true);
    later(AGAIN);
  }
}

// The text was saved, discarded or restored elsewhere: what is typed here from now on is a text of its own.
function beAnotherTab() {
  form.elements.tab.value = crypto.randomUUID().replaceAll("-", "");
  form.elements.restored.value = "";
}

function fields(more) {
  const body = new FormData(form);
  for (const [name, value] of Object.entries(more)) body.set(name, value);
  return body;
}

function say(sentence, wrong = false) {
  failing = wrong;
  kept.textContent = sentence;
  kept.className = wrong ? "error" : "hint";
}

async function show() {
  try {
    const answer = await fetch(form.dataset.preview, { method: "POST", body: fields({ do: "preview" }), redirect: "error" });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    preview.querySelector("[data-shown]").replaceChildren(...page.body.childNodes);
    preview.hidden = false;
  } catch {
    // The preview stays as it was.
  }
}

// Beside the text where there is room, or else directly below it. It is there from the beginning: nothing jumps later.
const room = matchMedia("(min-width: 70rem)");
function place() {
  if (room.matches) form.after(preview);
  else form.elements.text.closest(".field").after(preview);
}
room.addEventListener("change", place);
place();
preview.hidden = false;

addEventListener("pagehide", () => keep(true));
document.addEventListener("visibilitychange", () => document.hidden && keep(true));
addEventListener("beforeunload", (event) => {
  const tooLarge = new Blob([form.elements.text.value]).size > AS_IT_LEAVES;
  if (change !== stored && !submitting && (failing || tooLarge)) event.preventDefault();
});

let submitting = false;
form.addEventListener("submit", () => (submitting = true));
addEventListener("pageshow", () => (submitting = false));

for (const button of form.querySelectorAll("[value=preview]")) button.hidden = true;
if (form.elements.text.value.trim()) show();
