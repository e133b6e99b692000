// The monitor's pages, live: each part that the server sends is worked into the page, so that focus, scroll, what is
// typed and what is opened stay. Everything works without this.

import { drawCharts } from "./charts.js";

const part = document.getElementById("live");
const state = document.getElementById("live-state");
const button = document.getElementById("pause");
let source = null;
let last = "";
let paused = false;
let over = false;
let isShort = false; // Did the search end before it had looked at all? Then a row that it lacks is not gone.

const isKept = (node) => node.nodeType === Node.ELEMENT_NODE && node.hasAttribute("data-keep");
const keyOf = (node) => node.dataset?.key;

// Make `old` what `fresh` is, changing as little as possible.
function morph(old, fresh) {
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName || keyOf(old) !== keyOf(fresh)) {
    old.replaceWith(fresh);
  } else if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
  } else if (!isKept(old) && !old.isEqualNode(fresh)) {
    morphAttributes(old, fresh);
    if ("steady" in old.dataset && "steady" in fresh.dataset) morphSteady(old, fresh);
    else morphChildren(old, fresh);
  }
}

function morphAttributes(old, fresh) {
  const own = (name) => (old.nodeName === "DETAILS" && name === "open") || (old.name === "csrf_token" && name === "value");
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && !own(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value && !own(name)) old.setAttribute(name, value);
}

// Rows with a key stay the same elements, wherever they move; the others are matched in turn.
function morphChildren(old, fresh) {
  const keyed = new Map([...old.children].filter(keyOf).map((child) => [keyOf(child), child]));
  const wanted = new Set([...fresh.children].map(keyOf));
  let here = old.firstChild;
  for (const next of [...fresh.childNodes]) {
    while (here && keyOf(here) && !wanted.has(keyOf(here))) here = drop(here);
    const same = keyOf(next) ? keyed.get(keyOf(next)) : here && !keyOf(here) ? here : null;
    if (same && here?.nodeType === Node.TEXT_NODE && here.nextSibling === same) here = drop(here); // of a row that is gone
    if (!same) {
      old.insertBefore(next, here);
    } else if (same === here) {
      here = here.nextSibling;
      morph(same, next);
    } else {
      old.insertBefore(same, here);
      morph(same, next);
    }
  }
  while (here) here = drop(here);
}

// No row moves while somebody looks: those that are there change in place, and new ones wait behind a button.
function morphSteady(old, fresh) {
  const rows = new Map([...fresh.children].map((row) => [keyOf(row), row]));
  const keys = new Set([...old.children].map(keyOf));
  const added = [...rows.keys()].filter((key) => !keys.has(key)).length;
  for (const row of old.children) {
    const next = rows.get(keyOf(row));
    row.classList.toggle("gone", !next && !isShort);
    if (next) morph(row, next);
  }
  const place = part.querySelector("[data-fresh]");
  place.hidden = !added;
  place.firstElementChild.textContent = added < rows.size ? `${added} new` : `${added} or more new`;
}

part.addEventListener("click", (event) => {
  if (!event.target.closest("[data-fresh] button")) return;
  part.querySelector("[data-steady]").replaceChildren();
  part.querySelector("[data-fresh]").hidden = true;
  const html = last;
  last = "";
  show(html, true);
});

function drop(node) {
  const next = node.nextSibling;
  node.remove();
  return next;
}

function show(html, all = false) {
  if (html === last) return;
  last = html;
  const focused = document.activeElement;
  const held = part.contains(focused);
  const fresh = part.cloneNode(false);
  fresh.innerHTML = html;
  isShort = fresh.querySelector("[data-short]") !== null;
  if (isShort && part.querySelector(".lines tr") && !fresh.querySelector(".lines tr")) return;
  for (const field of fresh.querySelectorAll("[name=csrf_token]")) field.setAttribute("value", part.dataset.csrf);
  if (all) fresh.querySelector("[data-steady]")?.removeAttribute("data-steady");
  morph(part, fresh);
  if (all) part.querySelector(".lines tbody")?.setAttribute("data-steady", "");
  tick();
  if (held && document.activeElement !== focused) (focused.isConnected ? focused : part).focus({ preventScroll: true });
  drawCharts();
}

// The stream: none while the page is hidden or paused.

function connect() {
  if (source || paused || over || document.hidden || !("live" in part.dataset)) return;
  source = new EventSource(location.href);
  source.addEventListener("part", (event) => { say("Live"); show(event.data); });
  source.addEventListener("figures", (event) => figures(JSON.parse(event.data)));
  source.addEventListener("away", (event) => say(event.data, "away"));
  source.addEventListener("over", (event) => { over = true; disconnect(); say(event.data, "away"); });
  source.onerror = () => {
    say("Connecting …", "away");
    if (source?.readyState === EventSource.CLOSED) { // refused, which it does not try again by itself
      disconnect();
      setTimeout(connect, 10_000);
    }
  };
}

function disconnect() {
  source?.close();
  source = null;
}

// The numbers of the sections.
function figures(all) {
  for (const place of document.querySelectorAll("[data-figure]")) {
    const { text, kind } = all[place.dataset.figure] ?? { text: place.textContent, kind: place.className };
    if (place.textContent !== text) place.textContent = text;
    if (place.localName === "b") place.className = kind;
  }
}

// How long jobs have been running, counted on here: the server sends nothing for it.
function tick() {
  for (const place of part.querySelectorAll("[data-since]")) {
    const seconds = Math.max(0, (Date.now() - Date.parse(place.dataset.since)) / 1000);
    const [size, unit] = [[86400, "d"], [3600, "h"], [60, "min"]].find(([size]) => seconds >= 2 * size) ?? [1, "s"];
    const text = `${size === 1 ? Math.floor(seconds) : Math.round(seconds / size).toLocaleString("en")} ${unit}`;
    if (place.textContent !== text) place.textContent = text;
  }
}
setInterval(tick, 1000);

function say(text, kind = "") {
  if (state.textContent !== text) state.textContent = text;
  state.className = kind;
}

button.hidden = !("live" in part.dataset);
button.addEventListener("click", () => {
  paused = !paused;
  button.textContent = paused ? "Resume updates" : "Pause updates";
  if (paused) { disconnect(); say("Paused"); } else { say("Connecting …"); connect(); }
});
document.addEventListener("visibilitychange", () => (document.hidden ? disconnect() : connect()));
addEventListener("pagehide", disconnect);
addEventListener("pageshow", connect);
// Keys: / and Ctrl-K to find, j and k to walk, x to select, r to run again, ? for help.

const box = document.getElementById("query");
const help = document.createElement("dialog");

function walk(step) {
  const links = [...document.querySelectorAll(".lines tbody .task a")];
  const at = links.indexOf(document.activeElement?.closest("tr")?.querySelector(".task a"));
  const next = links[at < 0 && step < 0 ? links.length - 1 : at + step];
  next?.focus();
  next?.closest("tr").scrollIntoView({ block: "nearest" });
}

function pick() {
  const mark = document.activeElement?.closest(".lines tr")?.querySelector("[name=id]");
  if (mark) mark.checked = !mark.checked;
  return mark;
}

function rerun() {
  const form = document.getElementById("picked");
  if (!form) return;
  if (!document.querySelector("[name=id]:checked") && !pick()) return;
  form.requestSubmit(form.querySelector("[value=retry]"));
}

function showHelp() {
  const words = [["/  or Ctrl K", "Find: an id opens its job"], ["j  k", "Next and previous job"], ["Enter", "Open it"],
    ["x", "Select it"], ["r", "Plan to run the selected jobs again"], ["?", "This list"]];
  help.innerHTML = `<h2 id="keys">Keys</h2><dl>${words.map(([key, what]) => `<dt><kbd>${key}</kbd></dt><dd>${what}</dd>`).join("")}</dl><form method="dialog"><button class="quiet">Close</button></form>`;
  help.setAttribute("aria-labelledby", "keys");
  document.body.append(help);
  help.showModal();
}

const keys = { "/": () => box.select(), "?": showHelp, j: () => walk(1), k: () => walk(-1), x: pick, r: rerun };

document.addEventListener("keydown", (event) => {
  if (event.key === "k" && (event.ctrlKey || event.metaKey) && !event.altKey) {
    event.preventDefault();
    box.select();
  }
  const typing = event.target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]");
  if (typing || event.ctrlKey || event.metaKey || event.altKey || help.open || !keys[event.key]) return;
  event.preventDefault();
  keys[event.key]();
});

// Names complete the last word of the query, not only the first.
const names = [...document.getElementById("names").options].map((option) => option.value);
box.addEventListener("input", () => {
  const before = box.value.slice(0, box.value.lastIndexOf(" ") + 1);
  const word = box.value.slice(before.length);
  const found = word ? names.filter((name) => name.startsWith(word) && name !== word).slice(0, 20) : [];
  document.getElementById("names").replaceChildren(...found.map((name) => new Option("", before + name)));
});

// What one press could not end: the page is the answer to a press, so it may press the next time itself.
document.querySelector("form[data-goes-on]")?.requestSubmit();

// Where the clipboard is forbidden, the text is open and selected.
document.addEventListener("click", async (event) => {
  const text = document.getElementById(event.target.dataset?.copy);
  if (!text) return;
  try {
    await navigator.clipboard.writeText(text.textContent);
    event.target.textContent = "Copied";
  } catch {
    text.closest("details").open = true;
    getSelection().selectAllChildren(text);
  }
});

document.documentElement.classList.add("scripted");
drawCharts();
connect();
