// The card of a series: from the venues' quotes to the mark, step by step, with the reasons.
import * as api from "./api.js";
import * as override from "./override.js";
import { finite, fixed, link, make, money, percent, signed, whole } from "./parts.js";
import * as rounds from "./rounds.js";

export async function fill(parent, state, slice) {
  if (!state.series) {
    make(parent, "p", { class: "soft empty", text: "Choose a series: click it in the picture, or put the pointer there and press Enter." });
    worst(parent, slice);
    return;
  }
  let one;
  try {
    one = await api.series(state, state.series);
  } catch (error) {
    make(parent, "p", { class: "bad", text: error.status === 404 ? "This run has no series " + state.series + "." : error.message });
    return;
  }
  const head = make(parent, "div", { class: "card-head" });
  make(head, "h2", { text: (one.option_type === "P" ? "Put " : "Call ") + money(one.strike) + ", " + one.expiration });
  link(head, { series: "" }, "×", { class: "close", "aria-label": "Close the card", title: "Close (Esc)" });
  make(parent, "p", { class: "symbol", text: one.osi_symbol });
  make(parent, "p", { class: "verdict", text: verdict(one) });
  const why = make(parent, "dl", { class: "why-list" });
  for (const word of [one.mark_source, ...one.reasons]) {
    make(why, "dt", { text: word });
    make(why, "dd", { text: (one.meanings || {})[word] || "" });
  }

  const steps = make(parent, "ol", { class: "steps" });
  const venues = step(steps, "Venues' quotes", []);
  step(steps, "Best bid and offer", [
    ["bid × ask", money(one.bid) + " × " + money(one.ask)],
    ["sizes", (one.bid_size ?? "–") + " × " + (one.ask_size ?? "–")],
    ["venues", whole(one.venue_count)],
    ["status", [one.quote_status, ...one.quote_flags].join(", ")],
    ["mid", money(one.mid)],
  ]);
  step(steps, "Implied volatility", [
    ["bid", percent(one.bid_implied_volatility, 3)],
    ["mid", percent(one.implied_volatility, 3)],
    ["ask", percent(one.ask_implied_volatility, 3)],
    ["inversion", one.volatility_status],
  ]);
  const iterations = step(steps, "Rounds of smoothing", []);
  step(steps, "Smoothing", [
    ["in the last fit", one.accepted === null ? "no mid" : one.accepted ? "accepted" : "excluded"],
    ["smoothed", percent(one.smoothed_volatility, 3)],
    ["moved by", finite(one.edit_volatility) ? signed(100 * one.edit_volatility, 3) + " %" : "–"],
    ["total variance", fixed(one.total_variance, 6)],
    ["ln(K/F)", fixed(one.log_moneyness, 5)],
  ]);
  const caps = step(steps, "Cap", []);
  const integers = step(steps, "Integers", []);
  const busy = [venues, iterations, caps, integers];
  for (const one of busy) {
    one.setAttribute("aria-busy", "true");
    make(one, "p", { class: "soft small", text: "looking for the inputs of this run …" });
  }
  step(steps, "Mark", [
    ["mark", finite(one.mark) ? one.mark.toFixed(6) : "none"],
    ["decided by", one.mark_source],
    ["mark − mid", finite(one.edit) ? signed(one.edit, 6) : "–"],
    ["in half-spreads", signed(one.edit_half_spreads, 3)],
    ["per contract", finite(one.mark) ? (one.mark * one.multiplier).toFixed(4) + " " + one.currency : "–"],
    ["confidence", fixed(one.confidence, 3)],
  ]);

  const more = make(parent, "details", {}, make(null, "summary", { text: "Sensitivities and inputs" }));
  list(more, [
    ["delta", fixed(one.delta, 6)], ["gamma", fixed(one.gamma, 8)], ["vega", fixed(one.vega, 6)], ["theta, per day", fixed(one.theta, 6)], ["rho", fixed(one.rho, 6)],
    ["underlying", money(one.underlying_price)], ["forward", fixed(one.forward, 6)], ["discount factor", fixed(one.discount_factor, 9)],
    ["borrow", percent(one.borrow_rate, 3)], ["carry", percent(one.carry_rate, 3)], ["dividends", fixed(one.dividend_present_value, 6)],
    ["years", fixed(one.time_to_expiry, 8)], ["exercise", one.exercise_style], ["settlement", one.settlement], ["multiplier", whole(one.multiplier)],
    ["currency", one.currency], ["deliverable", one.deliverable],
  ]);
  if (one.exceptions.length) {
    const box = make(parent, "details", { open: true }, make(null, "summary", { text: "What was recorded (" + one.exceptions.length + ")" }));
    const list = make(box, "ul", { class: "recorded" });
    for (const e of one.exceptions) {
      const change = e.before !== null || e.after !== null ? ": " + [e.field, [e.before, e.after].filter((v) => v !== null).join(" → ")].filter(Boolean).join(" ") : e.field ? ": " + e.field : "";
      make(list, "li", {}, make(null, "b", { text: e.reason }), " " + e.stage + change + (e.author ? ", by " + e.author : ""));
    }
  }
  const origin = api.origin(state, one.osi_symbol).catch((error) => ({ kept: false, why: error.message, failed: true }));
  origin.then((found) => way(found, one, venues, iterations, caps, integers)).finally(() => busy.forEach((step) => step.removeAttribute("aria-busy")));
  override.add(parent, state, one);
  const foot = make(parent, "div", { class: "exports" });
  make(foot, "button", {
    type: "button", class: "plain", text: "Copy as JSON",
    onclick: async (event) => {
      const button = event.currentTarget;
      await navigator.clipboard.writeText(JSON.stringify({ ...one, origin: await origin }, null, 2));
      button.textContent = "Copied";
    },
  });
}

// What the run's inputs say, where they are to be had: they are not published.
function way(found, one, venues, iterations, caps, integers) {
  const absent = (step, why) => {
    step.querySelector("p").remove();
    make(step, "p", { class: "soft small", text: why });
  };
  if (!found.kept) {
    const head = found.failed ? "Not to be had now" : "Not kept for this run";
    absent(venues, head + ": " + found.why + ".");
    for (const step of [iterations, caps, integers]) absent(step, head + ".");
    return;
  }
  absent(venues, found.venues.length ? rounds.source(found.inputs, !found.smoothing) : "No venue quotes this series.");
  if (found.venues.length) quotes(venues, found);
  const s = found.smoothing;
  if (!s) {
    const why = found.why_no_smoothing || (one.mark_source === "INTRINSIC" ? "it expires now, and is worth its exercise" : "this series took no part in a smoothing");
    for (const step of [iterations, caps, integers]) absent(step, "None: " + why + ".");
    return;
  }
  const fill = (step, pairs) => {
    step.querySelector("p").remove();
    list(step, pairs);
  };
  fill(iterations, rounds.lines(s.rounds));
  fill(caps, s.rounds.length ? rounds.capWords(s.rounds.at(-1)) : [["cap", "none: there is no curve"]]);
  fill(integers, [
    ["price of the curve", fixed(s.model_price, 9)],
    ["after projection", fixed(s.unrounded, 9)],
    ["published", finite(s.published) ? s.published.toFixed(6) : "none"],
    ["moved by", finite(s.unrounded) && finite(s.published) ? signed(s.published - s.unrounded, 9) : "–"],
  ]);
}

function quotes(parent, found) {
  list(parent, [["best bid", best(found, "bid", (a, b) => b - a)], ["best ask", best(found, "ask", (a, b) => a - b)]]);
  const scroll = make(parent, "div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Quotes of the venues" });
  const table = make(scroll, "table", { class: "venues", "aria-label": "Quotes of the venues" });
  const head = make(make(table, "thead"), "tr");
  for (const text of ["venue", "bid", "ask", "age, s"]) make(head, "th", { scope: "col", text, class: text === "venue" ? "left" : "" });
  const body = make(table, "tbody");
  const size = (value) => (value === null ? "" : " (" + value + ")");
  for (const q of found.venues) {
    const line = make(body, "tr", { class: q.fate === "counts" ? "" : "excluded" });
    make(line, "td", { text: q.venue, title: q.name || "" });
    make(line, "td", { class: q.best_bid ? "best" : "", text: money(q.bid) + size(q.bid_size), title: q.best_bid ? "the best bid" : undefined });
    make(line, "td", { class: q.best_ask ? "best" : "", text: money(q.ask) + size(q.ask_size), title: q.best_ask ? "the best offer" : undefined });
    make(line, "td", { text: fixed(q.seconds_before_snapshot, 1), title: q.time || "" });
    if (q.fate !== "counts") make(make(body, "tr", { class: "fate" }), "td", { class: "left", colspan: 4, text: "↑ " + q.fate });
  }
}

// Who is best on a side, and what the next best says: a quote that stands alone is the first to doubt.
function best(found, side, order) {
  const all = found.venues.filter((q) => q.fate === "counts" && q[side] > 0 && q[side + "_size"] !== 0).sort((a, b) => order(a[side], b[side]));
  if (!all.length) return "none";
  const ahead = all.filter((q) => q[side] === all[0][side]);
  const next = all[ahead.length];
  return money(all[0][side]) + " by " + (ahead.length === 1 ? ahead[0].venue + " alone" : ahead.length + " venues") + (next ? "; next " + money(next[side]) : "");
}

// What the mark is, in one sentence.
function verdict(one) {
  if (!finite(one.mark)) return "No mark: " + (one.reasons.join(", ") || "nothing justified a number") + ".";
  const where = !finite(one.bid) && !finite(one.ask) ? "without a quote" : finite(one.bid) && one.mark < one.bid ? "below the bid" : finite(one.ask) && one.mark > one.ask ? "above the ask" : "inside the quote";
  const size = finite(one.edit_half_spreads) ? ", " + Math.abs(one.edit_half_spreads).toFixed(2) + " half-spreads from the mid" : "";
  return one.mark.toFixed(6) + " " + one.currency + " per share, " + where + size + ".";
}

function step(parent, title, pairs) {
  const item = make(parent, "li", {}, make(null, "h3", { text: title }));
  if (pairs.length) list(item, pairs);
  return item;
}

function list(parent, pairs) {
  const grid = make(parent, "dl");
  for (const [name, value] of pairs) {
    make(grid, "dt", { text: name });
    make(grid, "dd", { text: value });
  }
}

// Where to look first: the largest edits of the slice.
function worst(parent, slice) {
  const places = slice.residual.map((r, i) => [r, i]).filter(([r]) => finite(r)).sort((a, b) => Math.abs(b[0]) - Math.abs(a[0])).slice(0, 8);
  if (!places.length) return;
  make(parent, "h3", { text: "Largest edits here" });
  const table = make(parent, "table", { "aria-label": "Largest edits of this slice" });
  make(make(table, "thead"), "tr", {}, make(null, "th", { scope: "col", text: "series" }), make(null, "th", { scope: "col", text: "half-spreads" }), make(null, "th", { scope: "col", class: "left", text: "why" }));
  const body = make(table, "tbody");
  for (const [residual, i] of places) {
    const line = make(body, "tr");
    const reasons = slice.words.reasons.filter((_, bit) => Math.floor(slice.reasons[i] / 2 ** bit) % 2 === 1);
    const out = slice.type[i] === "P" ? slice.strike[i] <= slice.forward : slice.strike[i] >= slice.forward;
    link(make(line, "td"), { series: slice.symbol[i], slice: slice.slice, ...(out ? {} : { all: "1" }) }, (slice.type[i] === "P" ? "put " : "call ") + money(slice.strike[i]));
    make(line, "td", { text: signed(residual, 2) });
    make(line, "td", { class: "left", text: reasons.join(", ") || slice.words.sources[slice.source[i]] });
  }
}
