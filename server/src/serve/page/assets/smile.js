// The smile of a slice with its residuals, the density that its marks imply, and the card of a chosen series.
import * as api from "./api.js";
import * as card from "./card.js";
import { density } from "./density.js";
import { choice, figure, finite, fixed, make, money, percent, saveTable, spelt } from "./parts.js";
import * as rounds from "./rounds.js";
import { go, read } from "./state.js";

const draw = globalThis.closemark;

export const AXES = [["strike", "strike"], ["log", "ln(K/F)"], ["deviations", "deviations"], ["root", "ln(K/F)/√T"], ["delta", "delta"]];
export const HEIGHTS = [["volatility", "volatility"], ["variance", "total variance"]];

export async function fill(parent, { state, slice }) {
  const full = await api.slice(state, state.u, slice.slice);
  const series = () => draw.rows(full, full.words);
  const chosen = state.series && series().find((r) => r.symbol === state.series);
  // What was chosen is to be seen: in the money it is only among all.
  const inside = Boolean(chosen) && !chosen.otm;
  const all = state.all === "1" || inside;
  const tools = make(parent, "div", { class: "tools" });
  choice(tools, "horizontal axis", "x", AXES, state.x);
  choice(tools, "vertical axis", "y", HEIGHTS, state.y);
  choice(tools, "series shown", "all", [["", "out of the money"], ["1", "all"]], all ? "1" : "", (value) => (value === "" && inside ? { series: "" } : {}));
  choice(tools, "strikes shown", "wide", [["", "quoted strikes"], ["1", "all strikes", "Also strikes beyond the quotes, where the wings and their caps are"]], state.wide);
  facts(parent, full);

  const columns = make(parent, "div", { class: "with-card" });
  const pictures = make(columns, "div");
  const name = state.u + " " + full.label;
  const one = figure(pictures, "Smile of " + full.label, { picture: "smile", file: "smile " + name, svg: true });
  const signs = legend(one.box, one.picture);
  behind(one, full, series, name);
  const paint = (more = {}) => draw.smile(one.picture, full, full.words, {
    x: state.x, y: state.y, all, wide: state.wide === "1", chosen: state.series,
    pick: (row) => go({ slice: slice.slice, series: row.symbol, all: row.otm ? state.all : "1" }), ...more,
  });
  paint();
  // The rounds are made again by the service: the picture does not wait for them.
  rounds.add(one, signs, state, full, paint, name);
  density(pictures, full, series(), name);
  const side = make(columns, "aside", { class: "side", "aria-label": "Series" });
  await card.fill(side, state, full);
}

function behind({ box, foot }, full, series, name) {
  const columns = ["symbol", "type", "strike", "bid", "ask", "mid", "mark", "bid volatility", "mid volatility", "ask volatility", "mark volatility", "edit, half-spreads", "accepted", "source", "reasons"];
  const rows = () => series().map((r, i) => [r.symbol, r.put ? "put" : "call", r.strike, r.bid, r.ask, r.mid, r.mark, r.bidVolatility, r.midVolatility, r.askVolatility, r.volatility, r.residual, full.accepted[i] === "-" ? "" : full.accepted[i] === "1" ? "yes" : "no", r.source, r.reasons.join(" ")]);
  make(foot, "button", { type: "button", class: "plain", text: "CSV", title: "Save the series", onclick: () => saveTable(columns, rows(), "smile " + name) });
  const details = make(box, "details", { class: "rows" }, make(null, "summary", { text: "The series as a table" }));
  const holder = make(details, "div", { class: "scroll" });
  details.addEventListener("toggle", () => {
    holder.replaceChildren();
    if (!details.open) return;
    draw.table(holder, full, full.words);
    holder.querySelectorAll("tbody tr").forEach((line, i) => {
      line.classList.add("pickable");
      line.tabIndex = 0;
      const row = series()[i];
      const pick = () => go({ slice: full.slice, series: row.symbol, all: row.otm ? read().all : "1" });
      line.addEventListener("click", pick);
      line.addEventListener("keydown", (event) => event.key === "Enter" && pick());
    });
  });
}

export function facts(parent, s) {
  const list = make(parent, "dl", { class: "facts" });
  const fact = (name, value, title) => {
    const pair = make(list, "div", { title });
    make(pair, "dt", { text: name });
    make(pair, "dd", { text: value });
  };
  fact("forward", finite(s.forward) ? s.forward.toFixed(4) : "–");
  fact("discount factor", finite(s.discount_factor) ? s.discount_factor.toFixed(6) : "–");
  if (s.exercise_style === "american") fact("borrow", percent(s.borrow_rate, 2));
  else fact("carry", percent(s.carry_rate, 2));
  fact("days", fixed(s.time * 365, 1));
  fact("at the money", percent(s.atm, 2));
  fact("inside", percent(s.inside, 1), "Two-sided out-of-the-money quotes that contain their mark");
  fact("accepted", percent(s.accepted_share, 1), "Those that the last fit accepted");
  fact("χ", fixed(s.chi, 2), "Mean of ((mark − mid) / half-spread)²");
  fact("degrees of freedom", fixed(s.degrees_of_freedom, 1));
  fact("violations before", spelt(s.before));
  fact("after", spelt(s.after));
  fact("parity residual", fixed(s.parity_residual, 2), "Call less put volatility at the money, in half-spreads");
  fact("solver", s.solver_status + ", " + s.iterations + (s.iterations === 1 ? " round" : " rounds"));
  fact("confidence", fixed(s.confidence, 2));
  if (finite(s.dividend_present_value) && s.dividend_present_value > 0) fact("dividends", money(s.dividend_present_value));
  if (s.deliverable !== "100 " + s.underlying) fact("deliverable", s.deliverable);
  if (s.slice_reasons.length) fact("reasons", s.slice_reasons.join(", "));
}

// Small pictures of the signs, with the same classes that draw them.
function legend(box, before) {
  const { node } = draw;
  const list = make(null, "div", { class: "legend" });
  const entry = (width, text, paint) => {
    const span = make(list, "span");
    const svg = node(span, "svg", { width, height: 16, "aria-hidden": "true" });
    paint((name, attributes) => node(svg, name, attributes));
    span.append(text);
  };
  entry(44, "bid, ask and mid of calls and puts", (put) => {
    put("path", { class: "bar call", d: "M10,1V15" });
    put("circle", { class: "mid call", cx: 10, cy: 8, r: 3 });
    put("path", { class: "bar put", d: "M32,1V15" });
    put("circle", { class: "mid put", cx: 32, cy: 8, r: 3 });
  });
  entry(14, "excluded from the fit", (put) => put("circle", { class: "mid out call", cx: 7, cy: 8, r: 3.2 }));
  entry(34, "smoothed curve and published marks", (put) => {
    put("path", { class: "curve", d: "M1,12Q17,2 33,9" });
    put("path", { class: "mark", d: "M17,3.3l3,3l-3,3l-3,-3z" });
  });
  entry(14, "beyond the picture", (put) => put("path", { class: "mid out put", d: "M3,12h8l-4,-7z" }));
  box.insertBefore(list, before);
  return entry;
}
