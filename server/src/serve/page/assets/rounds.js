// How the curve of a slice came about: earlier rounds as ghosts with a slider, what the last fit aimed at, and the caps.
import * as api from "./api.js";
import { finite, make, percent, plainTable, saveTable } from "./parts.js";
import { address, read } from "./state.js";

const FOUND = { log: "this service's log", folder: "an input folder", sample: "the bundled sample day" };

export const source = (found, quotesAlone = false) => quotesAlone ? "From the run's inputs (" + (FOUND[found] || found) + ")." : "Made again from the run's inputs (" + (FOUND[found] || found) + ") by the code that made the marks, and found to end at what was published.";

export async function add({ box, picture }, entry, state, full, paint, name) {
  const holder = make(null, "div", { class: "rounds", "aria-busy": "true" });
  make(holder, "p", { class: "soft small", text: "Looking for the inputs of this run, to show the rounds of smoothing and the caps …" });
  picture.before(holder);
  let found;
  try {
    found = await api.rounds(state, state.u, full.slice);
  } catch (error) {
    found = { kept: false, why: error.message, failed: true };
  }
  holder.replaceChildren();
  if (!found.kept || !found.rounds.length) {
    make(holder, "p", { class: "soft small", text: "Rounds of smoothing and caps: " + (found.failed ? "not to be had now (" : "not kept for this run (") + (found.why || "there is no curve") + ")." });
    holder.removeAttribute("aria-busy");
    return;
  }
  const count = found.rounds.length;
  entry(34, "earlier rounds", (put) => put("path", { class: "curve past", d: "M1,12Q17,3 33,8" }));
  if (count > 1) entry(34, "the chosen round", (put) => put("path", { class: "curve round", d: "M1,11Q17,3 33,8" }));
  entry(34, "what the fit of the round aimed at", (put) => put("path", { class: "curve target", d: "M1,11Q17,4 33,9" }));
  if (found.rounds.some((r) => r.cap_high.some(finite))) entry(34, "volatility caps in the wings", (put) => put("path", { class: "curve cap", d: "M1,8H33" }));

  const row = make(holder, "div", { class: "slider" });
  const label = make(row, "label", { text: "round " });
  const slider = make(label, "input", { type: "range", min: 1, max: count, step: 1, value: within(state.round, count), disabled: count === 1 });
  const said = make(row, "output", { class: "soft" });
  row.title = source(found.inputs);

  const show = () => {
    const at = Number(slider.value) - 1;
    const one = found.rounds[at];
    const line = (name, volatility) => ({ name, strike: found.strike, volatility });
    const past = found.rounds.slice(0, at).filter((r) => r.volatility.length).map((r) => line("past", r.volatility));
    const lines = [...past, line("target", one.target), line("cap", one.cap_low), line("cap", one.cap_high)];
    if (at < count - 1) lines.push(line("round", one.volatility));
    const text = tell(found, at);
    said.textContent = text;
    slider.setAttribute("aria-valuetext", text);
    paint(at < count - 1 ? { lines, leftOut: new Set(one.left_out) } : { lines });
  };
  slider.addEventListener("input", () => {
    const at = Number(slider.value);
    history.replaceState(null, "", address({ round: at === count ? "" : String(at) }, read()));
    show();
  });
  show();
  tables(box, found, name);
  holder.removeAttribute("aria-busy");
}

const within = (text, count) => {
  const at = Number.parseInt(text, 10);
  return at >= 1 && at <= count ? at : count;
};

// What a round did, in words.
function tell(found, at) {
  const one = found.rounds[at];
  const passes = found.rounds.at(-1).pass;
  const parts = [(at + 1) + " of " + found.rounds.length + (passes > 1 ? (one.pass === 1 ? ", before stale quotes lost weight" : ", after stale quotes lost weight") : "")];
  parts.push(one.used + " quotes used, " + one.left_out.length + " left out");
  const before = found.rounds[at - 1];
  if (before) {
    let most = 0, where = null;
    one.volatility.forEach((v, i) => {
      const moved = finite(v) && finite(before.volatility[i]) ? Math.abs(v - before.volatility[i]) : 0;
      if (moved > most) { most = moved; where = found.strike[i]; }
    });
    parts.push(where === null ? "nothing moved" : "largest move " + percent(most, 3) + " at strike " + where);
  }
  return parts.join("; ");
}

function tables(holder, found, name) {
  const columns = ["strike", ...found.rounds.flatMap((r) => ["aim " + r.pass + "." + r.round, "curve " + r.pass + "." + r.round]), "cap low", "cap high"];
  const last = found.rounds.at(-1);
  const rows = () => found.strike.map((strike, i) => [strike, ...found.rounds.flatMap((r) => [r.target[i] ?? null, r.volatility[i] ?? null]), last.cap_low[i], last.cap_high[i]]);
  const details = make(holder, "details", {}, make(null, "summary", { text: "The rounds as a table" }));
  make(details, "button", { type: "button", class: "plain", text: "CSV", title: "Save the rounds", onclick: () => saveTable(columns, rows(), "rounds " + name) });
  const inner = make(details, "div", { class: "scroll" });
  details.addEventListener("toggle", () => {
    inner.replaceChildren();
    if (details.open) plainTable(inner, columns, rows(), "Rounds of smoothing");
  });
}

// One series' rounds as short lines, for its card.
export function lines(rounds) {
  return rounds.map((r) => [
    (r.pass > 1 ? "again, " : "") + "round " + r.round,
    "aim " + percent(r.target, 3) + " → " + percent(r.volatility, 3) + (r.quote ? ", quote " + r.quote : ""),
  ]);
}

export const capWords = (last) => (finite(last.cap_high) ? [["allowed", percent(last.cap_low, 3) + " to " + percent(last.cap_high, 3)], ["aimed at", percent(last.target, 3)]] : [["cap", "none: between the outermost accepted quotes, or no own fit"]]);
