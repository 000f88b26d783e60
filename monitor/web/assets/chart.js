// The chart of one site's counts: the same marks as the plain one, to zoom into; the time shown stands in the address.
import uPlot from "uplot";

const HEIGHT = 320;
const MARK = 5;
const dark = matchMedia("(prefers-color-scheme: dark)");

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function read() {
  return JSON.parse(document.querySelector("#chart-data").textContent);
}

/** The whole time there is to show, with a little room on both sides. */
function whole(data) {
  const starts = [...data.looks, ...data.declared].map((each) => each.start);
  const ends = [...data.looks.map((each) => each.end), data.now];
  const [from, to] = [Math.min(...starts), Math.max(...ends)];
  const room = (to - from) * 0.015 + 3600;
  return { min: from - room, max: to + room };
}

function asked() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  const [min, max] = ["from", "to"].map((name) => Date.parse(wanted.get(name)) / 1000);
  return min < max ? { min, max } : undefined;
}

function remember(range) {
  const iso = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 16) + "Z";
  const hash = range ? `#from=${iso(range.min)}&to=${iso(range.max)}` : "";
  history.replaceState(history.state, "", location.pathname + location.search + hash);
}

function middle(look) {
  return (look.start + look.end) / 2;
}

function highest(data) {
  const values = data.looks.map((each) => each.high ?? each.value ?? 0);
  return Math.max(1, ...values, ...data.declared.map((each) => each.value ?? 0), ...data.usual.map((each) => each.high)) * 1.08;
}

function hatch(pen, x, y, width, height, step) {
  pen.save();
  pen.beginPath();
  pen.rect(x, y, width, height);
  pen.clip();
  pen.beginPath();
  for (let at = x - height; at < x + width; at += step) {
    pen.moveTo(at, y + height);
    pen.lineTo(at + height, y);
  }
  pen.stroke();
  pen.restore();
}

function dots(pen, x, y, width, height, step) {
  for (let down = y + step / 2; down < y + height; down += step)
    for (let across = x + step / 2; across < x + Math.max(step, width); across += step)
      pen.fillRect(across, down, step / 4, step / 4);
}

function drawGaps(chart, data, scale) {
  const { ctx: pen, bbox } = chart;
  pen.strokeStyle = colour("gap");
  pen.lineWidth = scale;
  pen.globalAlpha = 0.7;
  const newest = Math.max(...data.looks.map((each) => each.end));
  const silent = data.now - newest > (data.now - data.looks[0].start) * 0.02;
  pen.fillStyle = colour("gap");
  const gaps = data.looks.filter((each) => each.kind === "gap" || each.kind === "unusable");
  for (const { start, end, kind } of [...gaps, ...(silent ? [{ start: newest, end: data.now }] : [])]) {
    const left = Math.max(bbox.left, chart.valToPos(start, "x", true));
    const right = Math.min(bbox.left + bbox.width, chart.valToPos(end, "x", true));
    if (right < bbox.left || left > bbox.left + bbox.width) continue;
    const draw = kind === "unusable" ? dots : hatch;
    draw(pen, left, bbox.top, Math.max(1, right - left), bbox.height, (kind === "unusable" ? 6 : 9) * scale);
  }
  pen.globalAlpha = 1;
}

function drawDeclared(chart, data, scale) {
  const { ctx: pen } = chart;
  const floor = chart.valToPos(0, "y", true);
  pen.save();
  pen.beginPath();
  pen.rect(chart.bbox.left, chart.bbox.top, chart.bbox.width, chart.bbox.height);
  pen.clip();
  for (const each of data.declared.filter(({ value }) => value !== null)) {
    const left = chart.valToPos(each.start, "x", true);
    const right = chart.valToPos(each.end, "x", true);
    const top = chart.valToPos(each.value, "y", true);
    pen.globalAlpha = 0.75;
    pen.fillStyle = colour("declared");
    pen.fillRect(left, top, right - left, floor - top);
    pen.globalAlpha = 1;
    pen.fillStyle = colour("declared-ink");
    pen.fillRect(left, top, right - left, 1.5 * scale);
    pen.font = `600 ${12 * scale}px "Source Sans 3 Variable", sans-serif`;
    pen.textAlign = "left";
    if (right > chart.bbox.left) pen.fillText(each.words, Math.max(left, chart.bbox.left) + 4 * scale, top - 5 * scale);
  }
  pen.restore();
}

/** What was usual at each look, by the looks before it. */
function drawUsual(chart, data, scale) {
  const { ctx: pen } = chart;
  pen.fillStyle = colour("ordinary");
  pen.globalAlpha = 0.22;
  for (const each of data.usual) {
    const left = chart.valToPos(each.start, "x", true);
    const right = chart.valToPos(each.end, "x", true);
    const top = chart.valToPos(each.high, "y", true);
    const height = chart.valToPos(each.low, "y", true) - top;
    pen.fillRect(left, top, Math.max(2 * scale, right - left), Math.max(scale, height));
  }
  pen.globalAlpha = 1;
}

function shape(pen, kind, x, y, size) {
  pen.beginPath();
  if (kind === "alert") {
    pen.moveTo(x, y - size * 1.3);
    pen.lineTo(x + size * 1.3, y);
    pen.lineTo(x, y + size * 1.3);
    pen.lineTo(x - size * 1.3, y);
    pen.closePath();
  } else pen.arc(x, y, size, 0, 2 * Math.PI);
}

function drawLooks(chart, data, scale) {
  const { ctx: pen } = chart;
  const floor = chart.valToPos(0, "y", true);
  for (const look of data.looks.filter(({ value }) => value !== null)) {
    const x = chart.valToPos(middle(look), "x", true);
    const y = chart.valToPos(look.value, "y", true);
    pen.globalAlpha = 0.5;
    pen.strokeStyle = colour("soft");
    pen.lineWidth = scale;
    line(pen, x, y, x, floor);
    pen.globalAlpha = 1;
    pen.strokeStyle = colour("ink");
    pen.lineWidth = 2 * scale;
    if (look.low !== null && look.high !== null)
      line(pen, x, chart.valToPos(look.low, "y", true), x, chart.valToPos(look.high, "y", true));
    shape(pen, look.kind, x, y, MARK * scale);
    pen.fillStyle = look.kind === "announced" ? colour("card") : colour(look.kind === "alert" ? "unusual" : "ordinary");
    pen.strokeStyle = look.kind === "announced" ? colour("ordinary") : colour("card");
    pen.lineWidth = 1.6 * scale;
    pen.fill();
    pen.stroke();
  }
}

function line(pen, x1, y1, x2, y2) {
  pen.beginPath();
  pen.moveTo(x1, y1);
  pen.lineTo(x2, y2);
  pen.stroke();
}

function axis(extra) {
  return {
    stroke: () => colour("soft"),
    grid: { stroke: () => colour("line"), width: 1 },
    ticks: { stroke: () => colour("line"), width: 1 },
    font: '12px "Source Sans 3 Variable", sans-serif',
    ...extra,
  };
}

const DAY_S = 86_400;
const MONTH = new Intl.DateTimeFormat(document.documentElement.lang || "en", { month: "short", timeZone: "UTC" });

/** Dates that read the same in every country, in UTC; no finer than the distance between two of them. */
function dates(_chart, splits, _axis, _space, increment) {
  return splits.map((seconds, place) => {
    const at = new Date(seconds * 1000);
    const [year, , day, time] = at.toISOString().split(/[-T]/);
    const name = MONTH.format(at);
    if (increment >= 360 * DAY_S) return year;
    if (increment >= 27 * DAY_S) return `${name} ${year}`;
    const date = `${Number(day)} ${name}${place ? "" : ` ${year}`}`;
    return increment >= DAY_S ? date : `${date} ${time.slice(0, 5)}`;
  });
}

function describe(tip, look, hint) {
  tip.replaceChildren();
  if (!look) {
    tip.textContent = hint;
    return;
  }
  const count = document.createElement("strong");
  count.textContent = look.count;
  tip.append(`${look.when}: `, count, look.rest);
}

function draw(host) {
  const data = read();
  const counts = data.looks.filter(({ value }) => value !== null);
  const scale = devicePixelRatio;
  host.hidden = false;
  const tip = document.createElement("p");
  tip.className = "chart-tip";
  describe(tip, undefined, host.dataset.hint);
  const full = whole(data);
  const chart = new uPlot(
    {
      width: host.clientWidth,
      height: HEIGHT,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      fmtDate: undefined,
      cursor: { y: false, points: { show: false }, drag: { x: true, y: false, setScale: true } },
      legend: { show: false },
      scales: { x: { min: full.min, max: full.max, auto: false }, y: { range: () => [0, highest(data)] } },
      axes: [axis({ space: 90, values: dates }), axis({ size: 42, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000, 10000] })],
      series: [{}, { paths: () => null, points: { show: false } }],
      hooks: {
        drawClear: [
          (each) => {
            drawGaps(each, data, scale);
            drawDeclared(each, data, scale);
            drawUsual(each, data, scale);
          },
        ],
        draw: [
          (each) => {
            each.ctx.save();
            each.ctx.beginPath();
            each.ctx.rect(each.bbox.left, 0, each.bbox.width, each.bbox.top + each.bbox.height + 9 * scale);
            each.ctx.clip();
            drawLooks(each, data, scale);
            each.ctx.restore();
            host.dataset.drawn = String(counts.length);
          },
        ],
        setCursor: [(each) => describe(tip, counts[each.cursor.idx], host.dataset.hint)],
        setScale: [
          (each, name) => {
            if (name !== "x" || each.status !== 1) return;
            const { min, max } = each.scales.x;
            remember(min > full.min || max < full.max ? { min, max } : undefined);
          },
        ],
      },
    },
    [counts.map(middle), counts.map(({ value }) => value)],
    host,
  );
  host.append(tip);
  const all = () => chart.setScale("x", full);
  chart.over.addEventListener("dblclick", all);
  document.querySelector("#chart-reset")?.addEventListener("click", all);
  new ResizeObserver(() => chart.setSize({ width: host.clientWidth, height: HEIGHT })).observe(host);
  addEventListener("hashchange", () => chart.setScale("x", asked() ?? full));
  const wanted = asked();
  if (wanted) chart.setScale("x", wanted);
  return chart;
}

const host = document.querySelector("#live-chart");
if (host && read().looks.some(({ value }) => value !== null)) {
  document.querySelector("#plain-chart").hidden = true;
  let chart = draw(host);
  const again = () => {
    if (!host.isConnected) return;
    chart.destroy();
    host.replaceChildren();
    document.querySelector("#plain-chart").hidden = true;
    chart = draw(host);
  };
  dark.addEventListener("change", again);
  document.body.addEventListener("htmx:after:swap", again);
}
