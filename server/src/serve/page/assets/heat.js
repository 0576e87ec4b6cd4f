// Expirations by moneyness: the volatility, its change since the previous close, the distance of the marks from the mids.
import * as api from "./api.js";
import { choice, figure, finite, link, make, percent } from "./parts.js";
import { address } from "./state.js";
import { volatilityAt } from "./term.js";

const draw = globalThis.closemark;

const KINDS = [["volatility", "volatility"], ["change", "change to the previous close"], ["residual", "mark − mid"]];

export async function fill(parent, { state, one, board }) {
  const kind = KINDS.some(([key]) => key === state.heat) ? state.heat : "volatility";
  choice(make(parent, "div", { class: "tools" }), "what is shown", "heat", KINDS, kind);
  const slices = one.slices.filter((s) => s.time > 0 && finite(s.atm) && s.curve_k.length > 0);
  const previous = kind === "change" ? await before(state, board) : null;
  const all = slices.map((s) => one.columns.map((d, i) => cell(kind, s, d, i, previous)));
  // Columns without a value at either end are left out.
  const used = one.columns.map((_, j) => all.some((line) => finite(line[j])));
  const [from, to] = [Math.max(0, used.indexOf(true)), used.lastIndexOf(true) + 1];
  const columns = one.columns.slice(from, to);
  const cells = all.map((line) => line.slice(from, to));
  const notes = {
    volatility: "The curve's volatility at each distance from the forward, in standard deviations at the money.",
    change: previous ? "Volatility less that of the close of " + previous.date + " (run " + previous.run + "), same expiration and same log-moneyness." : "The previous close of " + state.u + " is not among the published dates.",
    residual: "Mean of mark − mid over the out-of-the-money quotes near each distance, in half-spreads.",
  };
  const values = cells.flat().filter(finite);
  const text = (v) => (!finite(v) ? "" : kind === "residual" ? v.toFixed(2) : (100 * v).toFixed(kind === "change" ? 2 : 1));
  const { picture } = figure(parent, "Expirations by moneyness: " + KINDS.find(([key]) => key === kind)[1], {
    note: notes[kind], file: "heat " + kind + " " + one.underlying,
    columns: ["slice", ...columns.map(String)], rows: () => cells.map((line, i) => [slices[i].label, ...line]),
  });
  if (values.length === 0) {
    make(picture, "p", { class: "soft", text: "Nothing to draw." });
    return;
  }
  paint(picture, columns, slices, cells, values, kind, text);
}

function cell(kind, s, deviations, column, previous) {
  const k = deviations * s.atm * Math.sqrt(s.time);
  if (kind === "residual") return s.residuals ? s.residuals.mean[column] : null;
  // Beyond the listed strikes the curve is a continuation, and says nothing.
  const margin = 0.25 * s.atm * Math.sqrt(s.time);
  if (k < s.curve_k[0] - margin || k > s.curve_k.at(-1) + margin) return null;
  const now = volatilityAt(s, k);
  if (kind === "volatility") return now;
  const then = previous && previous.slices.get(s.slice);
  if (!then || then.curve_k.length === 0 || !(then.time > 0)) return null;
  return now - volatilityAt(then, k);
}

// The close that this one knows as its previous, where it is published here; else the latest earlier date that counts.
async function before(state, board) {
  const { dates } = await api.dates();
  const earlier = dates.filter((d) => d.date < state.date);
  const named = earlier.find((d) => d.runs.some((r) => r.run === board.previous_run));
  const at = named ? { date: named.date, run: board.previous_run } : earlier.find((d) => d.current) && { date: earlier.find((d) => d.current).date, run: earlier.find((d) => d.current).current };
  if (!at) return null;
  try {
    const one = await api.underlying(at, state.u);
    return { ...at, slices: new Map(one.slices.map((s) => [s.slice, s])) };
  } catch (error) {
    if (error.status === 404) return null;
    throw error;
  }
}

function paint(picture, columns, slices, cells, values, kind, text) {
  const signed = kind !== "volatility";
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
  const reach = Math.max(Math.abs(at(0.03)), Math.abs(at(0.97)), 1e-9);
  const [low, high] = signed ? [-reach, reach] : [at(0.02), Math.max(at(0.98), at(0.02) + 1e-9)];
  draw.responsive(picture, (width) => {
    const left = width < 560 ? 78 : 150, row = 24, top = 8;
    const column = (width - left - 4) / columns.length;
    const height = top + row * slices.length + 36;
    const svg = draw.canvas(picture, width, height, "Heat map of " + slices.length + " expirations by moneyness");
    slices.forEach((s, i) => {
      const y = top + i * row;
      const anchor = draw.node(svg, "a", { href: address({ tab: "smile", slice: s.slice, series: "" }), "data-go": "" });
      draw.node(anchor, "text", { x: left - 8, y: y + 16, "text-anchor": "end", class: "row-label" }, width < 560 ? s.chip : s.label);
      cells[i].forEach((v, j) => {
        if (!finite(v)) return;
        const share = draw.clamp((v - low) / (high - low), 0, 1);
        const [fill, ink] = signed ? diverging(share) : sequential(share);
        const box = draw.node(svg, "rect", { x: left + j * column, y, width: Math.max(0, column - 1), height: row - 1, fill });
        draw.node(box, "title", {}, s.label + ", " + columns[j] + " deviations: " + text(v));
        if (column > 38) draw.node(svg, "text", { x: left + (j + 0.5) * column, y: y + 16, "text-anchor": "middle", class: "cell" }, text(v)).style.fill = ink;
      });
    });
    columns.forEach((d, j) => {
      const every = column > 26 ? 1 : 2;
      if (j % every === 0) draw.node(svg, "text", { x: left + (j + 0.5) * column, y: height - 22, "text-anchor": "middle" }, String(d));
    });
    draw.node(svg, "text", { x: width - 6, y: height - 5, "text-anchor": "end" }, "ln(K/F) in standard deviations");
  });
}

const mix = (a, b, t) => a.map((v, i) => Math.round(v + t * (b[i] - v)));
const rgb = (c) => "rgb(" + c.join(",") + ")";
// Ink that stands out on any of the fills.
const ink = (c) => (0.299 * c[0] + 0.587 * c[1] + 0.114 * c[2] > 140 ? "#14171a" : "#ffffff");

function sequential(t) {
  const stops = [[38, 50, 110], [38, 105, 150], [58, 155, 140], [160, 205, 110], [248, 230, 90]];
  const at = t * (stops.length - 1), i = Math.min(stops.length - 2, Math.floor(at));
  const c = mix(stops[i], stops[i + 1], at - i);
  return [rgb(c), ink(c)];
}

// Blue below, white at zero, orange above: told apart by every kind of colour vision.
function diverging(t) {
  const c = t < 0.5 ? mix([0, 90, 165], [246, 246, 242], t * 2) : mix([246, 246, 242], [200, 85, 0], (t - 0.5) * 2);
  return [rgb(c), ink(c)];
}
