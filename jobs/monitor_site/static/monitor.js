// The monitor's pages, live: each part that the server sends is worked into the page, so that focus, scroll, what is
// typed and what is opened stay. Charts are drawn from the table in the page. Everything works without this.

const probe = document.body.appendChild(document.createElement("i"));
const part = document.getElementById("live");
const state = document.getElementById("live-state");
const button = document.getElementById("pause");
let source = null;
let last = "";
let paused = false;
let over = false;

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
    morphChildren(old, fresh);
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

function drop(node) {
  const next = node.nextSibling;
  node.remove();
  return next;
}

function show(html) {
  if (html === last) return;
  last = html;
  const focused = document.activeElement;
  const held = part.contains(focused);
  const fresh = part.cloneNode(false);
  fresh.innerHTML = html;
  for (const field of fresh.querySelectorAll("[name=csrf_token]")) field.setAttribute("value", part.dataset.csrf);
  morph(part, fresh);
  if (held && document.activeElement !== focused) (focused.isConnected ? focused : part).focus({ preventScroll: true });
  drawCharts();
}

// The stream: none while the page is hidden or paused.

function connect() {
  if (source || paused || over || document.hidden || !("live" in part.dataset)) return;
  source = new EventSource(location.href);
  source.addEventListener("part", (event) => { say("Live"); show(event.data); });
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

// Charts

const plots = new Map();
const dashes = { warn: [6, 3], bad: [2, 2], soft: [8, 3, 2, 3] };

// A canvas knows no variables: the style sheet's colour, as it is now.
function colour(name) {
  probe.className = `line-${name}`;
  return getComputedStyle(probe).color;
}

function drawCharts() {
  const table = document.getElementById("minutes");
  if (!table || !window.uPlot) return;
  const heads = [...table.tHead.rows[0].cells];
  const rows = [...table.tBodies[0].rows];
  const times = rows.map((row) => Date.parse(row.querySelector("time").dateTime) / 1000);
  const columns = new Map(heads.slice(1).map((head, i) => [head.dataset.column, {
    label: head.textContent,
    colour: head.dataset.colour,
    values: rows.map((row) => { const n = Number.parseFloat(row.cells[i + 1].textContent); return Number.isNaN(n) ? null : n; }),
  }]));
  for (const figure of document.querySelectorAll("figure[data-columns]")) {
    const shown = figure.dataset.columns.split(" ").map((name) => columns.get(name)).filter(Boolean);
    const data = [times, ...shown.map((column) => column.values)];
    if (plots.has(figure)) plots.get(figure).setData(data);
    else plots.set(figure, plot(figure, shown, data, table.dataset.zone));
  }
}

function plot(figure, columns, data, zone) {
  const box = figure.querySelector(".plot");
  const axis = { stroke: () => colour("text"), grid: { stroke: () => colour("grid"), width: 1 }, ticks: { show: false }, font: "12px system-ui" };
  const words = figure.dataset.unit === "s" ? span : short;
  const observer = new ResizeObserver(() => made.setSize({ width: box.clientWidth, height: 180 }));
  const made = new uPlot({
    hooks: { destroy: [() => observer.disconnect()] },
    width: box.clientWidth,
    height: 180,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zone),
    cursor: { sync: { key: "minutes" }, drag: { setScale: false } },
    scales: { y: { range: (_, low, high) => [0, high > 0 ? high * 1.1 : 1] } },
    axes: [{ ...axis, values: "{HH}:{mm}", space: 60 }, { ...axis, size: 56, values: (_, marks) => marks.map(words) }],
    series: [
      { value: "{HH}:{mm}", label: "" },
      ...columns.map((column) => ({
        label: column.label.replace(/ \(s\)$/, ""),
        stroke: () => colour(column.colour),
        dash: dashes[column.colour],
        width: 2,
        points: { show: column.values.filter((n) => n !== null).length < 3 },
        value: (_, n) => (n === null ? "–" : words(n)),
      })),
    ],
  }, data, box);
  observer.observe(box);
  return made;
}

function span(seconds) {
  if (seconds >= 120) return `${short(seconds / 60)} min`;
  return seconds >= 1 || !seconds ? `${short(seconds)} s` : `${short(seconds * 1000)} ms`;
}

const short = (n) => new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 }).format(n);

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const made of plots.values()) made.destroy();
  plots.clear();
  drawCharts();
});
document.documentElement.classList.add("scripted");
drawCharts();
connect();
