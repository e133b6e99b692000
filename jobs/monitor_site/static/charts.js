// Charts, drawn from the table in the page: its columns are the lines, its rows the minutes, with a link to their jobs.

const probe = document.body.appendChild(document.createElement("i"));
const plots = new Map();
const dashes = { warn: [6, 3], soft: [8, 3, 2, 3] };
const DAY = 86_400;
const counts = [1, 2, 5].flatMap((n) => [n, n * 10, n * 100, n * 1e3, n * 1e4, n * 1e5, n * 1e6, n * 1e7]).sort((a, b) => a - b);
const spans = [
  ...[0.001, 0.01, 0.1].flatMap((n) => [n, 2 * n, 5 * n]), 1, 2, 5, 10, 20, 30,
  ...[60, 3600].flatMap((n) => [n, 2 * n, 5 * n, 10 * n, 20 * n, 30 * n]), DAY, 2 * DAY, 5 * DAY, 10 * DAY,
];
const clock = [
  [DAY, "{D} {MMM}", null, null, null, null, null, null, 1],
  [60, "{HH}:{mm}", null, null, "\n{D} {MMM}", null, null, null, 1],
];

// A canvas knows no variables: the style sheet's colour, as it is now.
function colour(name) {
  probe.className = `line-${name}`;
  return getComputedStyle(probe).color;
}

export function drawCharts() {
  const table = document.getElementById("minutes");
  if (!table || !window.uPlot) return;
  const heads = [...table.tHead.rows[0].cells];
  const rows = [...table.tBodies[0].rows];
  const times = rows.map((row) => Date.parse(row.querySelector("time").dateTime) / 1000);
  const columns = new Map(heads.slice(1).map((head, i) => [head.dataset.column, {
    label: head.textContent.replace(/ \(s\)$/, ""),
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
  const isTime = figure.dataset.unit === "s";
  const words = isTime ? span : short;
  const axis = { stroke: () => colour("text"), grid: { stroke: () => colour("grid"), width: 1 }, ticks: { show: false }, font: "12px system-ui" };
  const observer = new ResizeObserver(() => made.setSize({ width: box.clientWidth, height: 160 }));
  const bars = columns.length === 1 && !isTime ? { paths: uPlot.paths.bars({ size: [0.7, 40] }), fill: () => colour(columns[0].colour), points: { show: false } } : {};
  const made = new uPlot({
    hooks: { destroy: [() => observer.disconnect()], setCursor: [say], setData: [say], draw: [drawMarks], ready: [say, follow] },
    width: box.clientWidth,
    height: 160,
    legend: { show: false },
    padding: [12, 12, 0, 0],
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zone),
    cursor: { sync: { key: "minutes" }, drag: { setScale: false, x: false, y: false } },
    scales: { y: { range: (_, low, high) => [0, high > 0 ? high * 1.1 : 1] } },
    axes: [
      { ...axis, values: clock, space: 60 },
      { ...axis, incrs: isTime ? spans : counts, space: 36, size: (_, marks) => 14 + 7 * Math.max(2, ...(marks ?? []).map((mark) => mark.length)), values: (_, marks) => marks.map(words) },
    ],
    series: [
      {},
      ...columns.map((column) => ({
        stroke: () => colour(column.colour),
        dash: dashes[column.colour],
        width: 2,
        points: { show: true, filter: (chart, i) => alone(chart.data[i]) },
        ...bars,
      })),
    ],
  }, data, box);
  observer.observe(box);
  return made;

  // Beside each name of a line: its value under the cursor, or its last one.
  function say(chart) {
    const places = figure.querySelectorAll(".key b");
    columns.forEach((column, i) => {
      const values = chart.data[i + 1];
      const at = chart.cursor.idx ?? values.findLastIndex((n) => n !== null);
      places[i].textContent = values[at] === null || values[at] === undefined ? "–" : words(values[at]);
    });
  }

  // A press leads to the jobs of that time.
  function follow(chart) {
    chart.over.addEventListener("click", () => {
      const row = document.getElementById("minutes").tBodies[0].rows[chart.cursor.idx];
      const link = row?.querySelector("a");
      if (link) location.assign(link.href);
    });
  }
}

// Values without a neighbour: no line leads to them.
function alone(values) {
  return [...values.keys()].filter((n) => values[n] !== null && (values[n - 1] ?? null) === null && (values[n + 1] ?? null) === null);
}

// Where a version came: a line, with its name at the top, below those that it would cover.
function drawMarks(chart) {
  const { ctx, bbox } = chart;
  ctx.save();
  ctx.fillStyle = ctx.strokeStyle = colour("text");
  ctx.font = `${11 * devicePixelRatio}px system-ui`;
  ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
  const ends = []; // of the last name in each line
  const marks = [...document.querySelectorAll("[data-mark]")].sort((one, other) => Date.parse(one.dateTime) - Date.parse(other.dateTime));
  for (const mark of marks) {
    const x = chart.valToPos(Date.parse(mark.dateTime) / 1000, "x", true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    const name = mark.dataset.mark.slice(0, 12);
    const left = Math.min(x + 3, bbox.left + bbox.width - ctx.measureText(name).width);
    const free = ends.findIndex((end) => end + 4 * devicePixelRatio < left);
    const line = free < 0 ? ends.length : free;
    ends[line] = left + ctx.measureText(name).width;
    ctx.fillText(name, left, bbox.top + (12 * line - 2) * devicePixelRatio);
  }
  ctx.restore();
}

function span(seconds) {
  const [size, unit] = [[DAY, "d"], [3600, "h"], [60, "min"]].find(([size]) => seconds >= size) ?? [1, "s"];
  return seconds >= 1 || !seconds ? `${short(seconds / size)} ${unit}` : `${short(seconds * 1000)} ms`;
}

const short = (n) => new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 }).format(n);

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const made of plots.values()) made.destroy();
  plots.clear();
  drawCharts();
});
