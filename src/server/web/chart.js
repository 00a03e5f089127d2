// Charts: small ones as SVG, large ones by uPlot.
import { clock, value } from "./format.js";

const NS = "http://www.w3.org/2000/svg";

function svg(tag, attributes, ...children) {
  const element = document.createElementNS(NS, tag);
  for (const [name, text] of Object.entries(attributes)) element.setAttribute(name, text);
  element.append(...children);
  return element;
}

/** A sparkline of numbers; null is a gap. Empty where there are fewer than two numbers. */
export function spark(points, width = 120, height = 28) {
  const known = points.filter((point) => point !== null);
  const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "spark", preserveAspectRatio: "none", "aria-hidden": "true" });
  if (known.length < 2) return picture;
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const x = (place) => ((place / (points.length - 1)) * width).toFixed(1);
  const y = (point) => (high === low ? height / 2 : height - 2 - ((point - low) / (high - low)) * (height - 4)).toFixed(1);
  let path = "";
  let isOpen = false;
  points.forEach((point, place) => {
    if (point === null) isOpen = false;
    else {
      path += `${isOpen ? "L" : "M"}${x(place)} ${y(point)}`;
      isOpen = true;
    }
  });
  picture.append(svg("path", { d: path }));
  return picture;
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** Points of a history with a gap (null) wherever nothing is known in between. */
export function withGaps(points, gap) {
  const [times, means] = [[], []];
  points.forEach(([time, mean], place) => {
    const before = place > 0 ? points[place - 1][0] : time;
    if (time - before > gap) {
      times.push(before + gap / 2);
      means.push(null);
    }
    times.push(time);
    means.push(mean);
  });
  return [times, means];
}

/**
 * A chart of one or several series over time. `series` are `{label, times, values, colour}`; `bands` are `{from, to, level}`
 * in seconds, drawn behind; `field` tells the unit. Gives `{element, destroy}`.
 */
export function chart({ series, bands = [], field = "", from, to, height = 190 }) {
  const element = document.createElement("div");
  element.className = "chart";
  const all = uPlot.join(series.map(({ times, values }) => [times, values]), series.map(({ values }) => values.map(() => 1)));
  const drawBands = (plot) => {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    for (const band of bands) {
      const left = plot.valToPos(Math.max(band.from, from), "x", true);
      const right = plot.valToPos(Math.min(band.to ?? to, to), "x", true);
      ctx.fillStyle = colour(`--${band.level}-soft`) || colour("--error-soft");
      ctx.fillRect(left, bbox.top, Math.max(2, right - left), bbox.height);
      ctx.fillStyle = colour(`--${band.level}`);
      ctx.fillRect(left, bbox.top, Math.max(2, right - left), 3 * devicePixelRatio);
    }
    ctx.restore();
  };
  const axis = { stroke: colour("--dim"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") } };
  const options = {
    width: 600,
    height,
    cursor: { y: false, drag: { x: false, y: false } },
    legend: { live: true },
    scales: { x: { time: true, range: () => [from, to] }, y: { range: (_, low, high) => room(low, high) } },
    hooks: { drawClear: [drawBands] },
    axes: [{ ...axis, values: (_, ticks) => ticks.map((tick, place) => timeOf(tick, place === 0 ? null : ticks[place - 1])) }, { ...axis, size: 74, values: (_, ticks) => ticks.map((tick) => value(field, tick)) }],
    series: [
      { value: (_, it) => (it === null || it === undefined ? "–" : clock(it * 1000)) },
      ...series.map(({ label, colour: name }) => ({
        label,
        stroke: colour(name ?? "--accent"),
        width: 1.6,
        spanGaps: false,
        points: { show: false },
        value: (_, it) => (it === null || it === undefined ? "–" : value(field, it)),
      })),
    ],
  };
  const plot = new uPlot(options, all, element);
  const observer = new ResizeObserver(([entry]) => {
    const width = Math.floor(entry.contentRect.width);
    if (width > 0 && width !== plot.width) plot.setSize({ width, height });
  });
  observer.observe(element);
  const destroy = () => {
    observer.disconnect();
    plot.destroy();
  };
  return { element, destroy };
}

/** A time of day, with the date where another day begins. */
function timeOf(seconds, before) {
  const date = new Date(seconds * 1000);
  const time = `${String(date.getHours()).padStart(2, "0")}:${String(date.getMinutes()).padStart(2, "0")}`;
  const isNew = before !== null && new Date(before * 1000).getDate() !== date.getDate();
  return isNew ? `${date.getMonth() + 1}-${date.getDate()}` : time;
}

function room(low, high) {
  if (low === null || high === null) return [0, 1];
  if (low === high) return low === 0 ? [0, 1] : [low - Math.abs(low) / 10, high + Math.abs(high) / 10];
  const more = (high - low) * 0.08;
  return [low >= 0 ? Math.max(0, low - more) : low - more, high + more];
}
