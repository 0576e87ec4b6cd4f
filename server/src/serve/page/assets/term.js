// All expirations at once: total variance with its crossings, and how each figure of the slices runs with time.
import { figure, finite, fixed, link, make, percent, plainTable, total, whole } from "./parts.js";

const draw = globalThis.closemark;
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export async function fill(parent, { one }) {
  const slices = one.slices;
  const lines = slices.map((s) => ({ label: s.label, time: s.time, atm: s.atm, k: s.curve_k, w: s.curve_w, root: s.root, deliverable: s.deliverable, calendar: s.calendar }));
  const crossings = findCrossings(lines);
  const note = crossings.length
    ? crossings.length + (crossings.length === 1 ? " stretch" : " stretches") + " where a later expiration's curve lies below an earlier one's, by at most " + (100 * Math.max(...crossings.map((c) => c.depth))).toFixed(4) + " volatility points"
    : "No two lines of one class cross: no calendar arbitrage in the curves";
  const { picture } = figure(parent, "Total variance of all expirations", {
    note, file: "variance " + one.underlying, picture: "variance",
    columns: ["slice", "years", "ln(K/F)", "total variance"],
    rows: () => lines.flatMap((s) => s.k.map((k, i) => [s.label, s.time, k, s.w[i]])),
  });
  draw.variance(picture, lines, crossings);

  const grid = make(parent, "div", { class: "multiples" });
  const series = [
    ["At-the-money volatility", (s) => scaled(s.atm, 100), "%"],
    ["Skew: volatility one deviation below the money less one above", (s) => scaled(skew(s), 100), "%"],
    ["Forward over the underlying, less 1", (s) => (finite(s.forward) && finite(one.price) ? 100 * (s.forward / one.price - 1) : null), "%"],
    slices.some((s) => finite(s.borrow_rate)) ? ["Borrow rate", (s) => scaled(s.borrow_rate, 100), "% a year"] : ["Carry rate", (s) => scaled(s.carry_rate, 100), "% a year"],
    ["Parity residual at the money", (s) => s.parity_residual, "half-spreads"],
    ["Quotes that contain their mark", (s) => scaled(s.inside, 100), "%"],
  ];
  for (const [title, of, unit] of series) multiple(grid, one, slices, title, of, unit);

  make(parent, "h2", { text: "Slices" });
  const columns = ["slice", "days", "forward", "at the money", "skew", "inside", "accepted", "violations before", "after", "solver", "rounds", "confidence"];
  const rows = slices.map((s) => [s.label, Number((s.time * 365).toFixed(2)), s.forward, percent(s.atm, 2), percent(skew(s), 2), percent(s.inside, 1), percent(s.accepted_share, 1), total(s.before), total(s.after), s.solver_status, s.iterations, fixed(s.confidence, 2)]);
  const table = plainTable(make(parent, "div", { class: "scroll" }), columns, rows, "Slices of " + one.underlying);
  table.querySelectorAll("tbody tr").forEach((line, i) => {
    const cell = line.cells[0];
    cell.replaceChildren();
    link(cell, { tab: "smile", slice: slices[i].slice, series: "" }, slices[i].label);
  });
}

const scaled = (value, by) => (finite(value) ? value * by : null);

// The curve's total variance: linear between its nodes, flat volatility outside.
export function varianceAt(s, k) {
  const [ks, ws] = [s.curve_k || s.k, s.curve_w || s.w];
  const n = ks.length;
  if (n === 0) return null;
  if (k <= ks[0]) return ws[0];
  if (k >= ks[n - 1]) return ws[n - 1];
  let i = 1;
  while (ks[i] < k) i++;
  const a = (k - ks[i - 1]) / (ks[i] - ks[i - 1] || 1);
  return ws[i - 1] + a * (ws[i] - ws[i - 1]);
}

export function volatilityAt(s, k) {
  const w = varianceAt(s, k);
  return w === null || !(s.time > 0) ? null : Math.sqrt(Math.max(0, w) / s.time);
}

function skew(s) {
  if (!finite(s.atm) || !(s.time > 0)) return null;
  const one = s.atm * Math.sqrt(s.time);
  const [low, high] = [volatilityAt(s, -one), volatilityAt(s, one)];
  return low === null ? null : low - high;
}

// Where the line of a later expiration dips below that of an earlier one of the same deliverable, at either's nodes.
export function findCrossings(lines) {
  const found = [];
  const list = lines.filter((s) => s.calendar !== false && s.k.length > 1 && s.time > 0).sort((a, b) => a.time - b.time);
  for (let i = 1; i < list.length; i++) {
    const late = list[i];
    const early = list.slice(0, i).reverse().find((s) => s.deliverable === late.deliverable && s.time < late.time);
    if (!early) continue;
    const [low, high] = [Math.max(early.k[0], late.k[0]), Math.min(early.k.at(-1), late.k.at(-1))];
    const nodes = [...early.k, ...late.k].filter((k) => k >= low && k <= high).sort((a, b) => a - b);
    let below = false;
    for (const k of nodes) {
      const [a, b] = [varianceAt(early, k), varianceAt(late, k)];
      const now = b < a - 1e-9 - 1e-6 * a;
      if (now && !below) found.push({ k, w: b, early: early.label, late: late.label, depth: 0 });
      if (now) found.at(-1).depth = Math.max(found.at(-1).depth, (Math.sqrt(a) - Math.sqrt(b)) / Math.sqrt(late.time));
      below = now;
    }
  }
  return found;
}

function multiple(parent, one, slices, title, of, unit) {
  const points = slices.filter((s) => s.time > 0).map((s) => [s.time, of(s), s.label]).filter((p) => finite(p[1])).sort((a, b) => a[0] - b[0]);
  const { picture } = figure(parent, title, {
    file: title + " " + one.underlying, columns: ["slice", "years", unit], rows: () => points.map((p) => [p[2], p[0], p[1]]), picture: "uplot-box",
  });
  if (points.length === 0) {
    make(picture, "p", { class: "soft", text: "Nothing to draw." });
    return;
  }
  picture.setAttribute("role", "img");
  picture.setAttribute("aria-label", title + " by time to expiry, " + points.length + " expirations, in " + unit);
  let chart = null;
  const paint = () => {
    const width = Math.floor(picture.clientWidth);
    if (width < 40) return;
    if (chart) chart.destroy();
    const [soft, grid, accent, card] = [colour("--soft"), colour("--grid"), colour("--accent"), colour("--card")];
    const axis = { stroke: soft, grid: { stroke: grid, width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
    chart = new globalThis.uPlot({
      width, height: 190, legend: { show: true, live: true }, cursor: { points: { size: 8, fill: accent } }, scales: { x: { time: false, distr: 100, fwd: Math.sqrt, bwd: (v) => v * v } },
      axes: [{ ...axis, label: "years to expiry (square root scale)", labelSize: 18, labelFont: "12px system-ui, sans-serif", size: 26 }, { ...axis, size: 52, values: (_, list) => list.map((v) => String(Number(v.toFixed(4)))) }],
      series: [{ label: "years", value: (_, v) => (v === null ? "–" : v.toFixed(4)) }, { label: unit, stroke: accent, width: 1.6, points: { show: true, size: 6, fill: card, stroke: accent }, value: (_, v) => (v === null ? "–" : v.toFixed(3)) }],
    }, [points.map((p) => p[0]), points.map((p) => p[1])], picture);
  };
  let last = 0;
  new ResizeObserver(() => {
    const now = Math.floor(picture.clientWidth);
    if (now !== last) { last = now; requestAnimationFrame(paint); }
  }).observe(picture);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => picture.isConnected && paint());
}
