// The board: one row for each underlying, least believable first.
import * as api from "./api.js";
import { go } from "./state.js";
import { fixed, figure, finite, link, make, money, percent, saveTable, spelt, total, whole } from "./parts.js";

const draw = globalThis.closemark;
const CHUNK = 60;

const COLUMNS = [
  ["underlying", "underlying", (r) => r.underlying, (v) => v],
  ["price", "price", (r) => r.price, money],
  ["series", "series", (r) => r.series, whole],
  ["slices", "slices", (r) => r.slices, whole],
  ["worst_edit", "worst edit", (r) => r.worst_edit, (v) => fixed(v, 2), "Largest |mark − mid| in half-spreads"],
  ["why", "why", (r) => why(r.worst), (v) => v, "What the mark with the worst edit says of itself"],
  ["inside", "inside", (r) => r.inside, (v) => percent(v, 1), "Two-sided out-of-the-money quotes that contain their mark"],
  ["before", "before", (r) => total(r.before), whole, "Violations of no-arbitrage in the mids"],
  ["after", "after", (r) => total(r.after), whole, "Violations in the published marks"],
  ["capped", "capped", (r) => r.capped, whole, "Series whose mark a volatility cap decided"],
  ["carried", "carried", (r) => r.carried, whole, "Series marked from the previous close's surface"],
  ["overridden", "overridden", (r) => r.overridden, whole, "Series whose mark a person set"],
  ["not_converged", "not conv.", (r) => r.not_converged, whole, "Slices whose smoothing did not converge"],
  ["unmarked", "no mark", (r) => r.unmarked, whole, "Series without a mark"],
  ["confidence", "confidence", (r) => r.confidence, (v) => fixed(v, 2), "Least confidence of its quoted slices, 0 to 1"],
  ["doubt", "doubt", (r) => r.doubt, (v) => fixed(v, 2), "How hard it is to believe: published violations, non-convergence, share outside, worst edit, what was wrong in the mids, missing marks, confidence"],
  ["seconds", "time, s", (r) => r.seconds, (v) => fixed(v, 3), "Seconds that its marking took"],
];
// Words that say why before those that only say where a mark stands.
const why = (worst) => (worst ? worst.reasons.find((r) => r !== "DIVIDENDS_UNKNOWN" && r !== "PARITY_ROUNDED") || worst.mark_source : "");
const BAD = new Set(["after", "not_converged"]);

export async function show(view, state) {
  const board = await api.board(state);
  const rows = board.rows;
  const page = make(null, "div", { class: "board" });
  heading(page, board);
  first(page, rows);
  waiting(make(page, "div"), state);

  const tools = make(page, "div", { class: "tools" });
  const filter = make(tools, "input", { type: "search", id: "filter", placeholder: "filter by symbol", "aria-label": "Filter the board by symbol", value: state.filter });
  make(tools, "span", { class: "soft", id: "shown" });
  make(tools, "button", { type: "button", class: "plain", text: "CSV", title: "Save the board", onclick: () => saveTable(COLUMNS.map((c) => c[0]), wanted().map((r) => COLUMNS.map((c) => c[2](r))), "board " + board.date) });

  const scroll = make(page, "div", { class: "scroll" });
  const table = make(scroll, "table", { id: "board", "aria-label": "Underlyings, least believable first" });
  const head = make(make(table, "thead"), "tr");
  let [by, down] = state.sort.startsWith("-") ? [state.sort.slice(1), false] : [state.sort, true];
  if (!COLUMNS.some((c) => c[0] === by)) [by, down] = ["doubt", true];
  for (const [key, text, , , title] of COLUMNS) {
    const cell = make(head, "th", { scope: "col", title, class: key === "why" ? "left" : undefined, "aria-sort": key === by ? (down ? "descending" : "ascending") : undefined });
    make(cell, "button", { type: "button", text, onclick: () => go({ sort: (key === by && down ? "-" : "") + key }, { replace: true }) });
  }
  const body = make(table, "tbody");

  const value = COLUMNS.find((c) => c[0] === by)[2];
  const order = (a, b) => {
    const [x, y] = [value(a), value(b)];
    const rank = typeof x === "string" ? (x < y ? -1 : x > y ? 1 : 0) : (finite(y) ? y : -Infinity) - (finite(x) ? x : -Infinity);
    const ties = a.underlying < b.underlying ? -1 : 1;
    return (down ? rank : -rank) || ties;
  };
  const sorted = [...rows].sort(order);
  const wanted = () => {
    const text = filter.value.trim().toUpperCase();
    return text ? sorted.filter((r) => r.underlying.toUpperCase().includes(text)) : sorted;
  };

  // Six thousand rows are written as they come into sight.
  let pending = [];
  const more = make(page, "div", { class: "more" });
  const write = (count) => {
    for (const row of pending.splice(0, count)) body.append(line(row, state));
    more.hidden = pending.length === 0;
  };
  const fill = () => {
    body.replaceChildren();
    pending = wanted().slice();
    page.querySelector("#shown").textContent = whole(pending.length) + " of " + whole(rows.length);
    write(CHUNK);
  };
  new IntersectionObserver((seen) => seen.some((s) => s.isIntersecting) && write(CHUNK), { rootMargin: "600px" }).observe(more);
  make(more, "button", { type: "button", class: "plain", text: "more", onclick: () => write(CHUNK) });
  filter.addEventListener("input", () => {
    history.replaceState(null, "", addressOf(filter.value));
    fill();
  });
  fill();
  distributions(page, board);
  view.replaceChildren(page);
}

function addressOf(filter) {
  const query = new URLSearchParams(location.search);
  if (filter) query.set("filter", filter);
  else query.delete("filter");
  const text = query.toString();
  return text ? "?" + text : location.pathname;
}

function line(row, state) {
  const tr = make(null, "tr");
  for (const [key, , of, text] of COLUMNS) {
    const value = of(row);
    const cell = make(tr, "td", { class: BAD.has(key) && value > 0 ? "bad" : key === "why" ? "left why" : "" });
    if (key === "underlying") link(cell, { u: row.underlying, slice: row.slice || "", tab: "smile", series: "" }, value);
    else if (key === "worst_edit" && row.slice) link(cell, { u: row.underlying, slice: row.slice, tab: "smile", series: row.worst ? row.worst.osi_symbol : "" }, text(value), { title: row.worst ? "The card of the worst edit: " + row.worst.osi_symbol : "The slice of the worst edit" });
    else cell.textContent = text(value);
    if (key === "why") cell.title = value;
  }
  return tr;
}

function heading(page, board) {
  const held = board.gates.filter((gate) => !gate.pass);
  const head = make(page, "div", { class: "heading" });
  make(head, "h1", { text: "Closing marks of " + board.date });
  make(head, "span", { class: "state " + (held.length ? "bad" : "good"), text: (board.state || "unknown") + (board.current ? ", current" : "") });
  make(page, "p", { class: "soft", text: "Snapshot " + board.snapshot + ", run " + board.run + ", method " + board.method_version });
  const t = board.totals;
  const tiles = make(page, "dl", { class: "tiles" });
  const tile = (name, value, note, bad) => {
    const box = make(tiles, "div");
    make(box, "dt", { text: name });
    make(make(box, "dd", { class: bad ? "bad" : "", text: value + " " }), "small", { text: note });
  };
  const marked = board.rows.reduce((sum, r) => sum + r.series - r.unmarked, 0);
  tile("series", whole(t.series), whole(t.slices) + " slices, " + whole(t.underlyings) + " underlyings");
  tile("marked", whole(marked), marked === t.series ? "none without" : whole(t.series - marked) + " without");
  tile("inside the quote", percent(t.out_of_the_money_quotes ? t.inside / t.out_of_the_money_quotes : null, 2), "of " + whole(t.out_of_the_money_quotes) + " out-of-the-money quotes");
  tile("violations in the mids", whole(total(t.violations_before)), spelt(t.violations_before));
  tile("violations published", whole(total(t.violations_after)), spelt(t.violations_after), total(t.violations_after) > 0);
  tile("slices not converged", whole(t.slices_not_converged), "of " + whole(t.slices), t.slices_not_converged > 0);
  const gates = make(page, "ul", { class: "gates", "aria-label": "Gates" });
  for (const gate of board.gates) {
    const share = gate.name === "violations" ? whole(gate.count) : percent(gate.value, 2);
    const limit = gate.name === "violations" ? String(gate.limit) : percent(gate.limit, 2);
    const item = make(gates, "li", { class: gate.pass ? "good" : "bad", title: whole(gate.count) + " of " + whole(gate.of) });
    make(item, "b", { text: gate.pass ? "passed" : "held" });
    item.append(" " + gate.name.replaceAll("_", " ") + " " + share + (gate.bound === "at_least" ? " ≥ " : " ≤ ") + limit);
  }
}

// Where a reader who has a minute looks: the marks of the least believable underlyings, in words.
function first(page, rows) {
  const doubtful = rows.filter((r) => r.worst && r.slice && r.worst_edit > 1).slice(0, 3);
  if (!doubtful.length) return;
  const box = make(page, "div", { class: "first" });
  make(box, "h2", { text: "Hardest to believe" });
  const list = make(box, "ol");
  for (const r of doubtful) {
    const w = r.worst;
    const item = make(list, "li");
    link(item, { u: r.underlying, slice: r.slice, tab: "smile", series: w.osi_symbol }, w.osi_symbol);
    item.append(" marked " + money(w.mark) + ", quoted " + money(w.bid) + " × " + money(w.ask) + ": " + r.worst_edit.toFixed(0) + " half-spreads away, " + why(w) + (w.accepted === false ? ", quote not believed" : ""));
  }
}

// Overrides that wait for a second person, for those whom the service knows by name.
async function waiting(box, state) {
  const who = await api.who().catch(() => null);
  if (!who || !who.names) return;
  const { overrides } = await api.overrides(state.date).catch(() => ({ overrides: [] }));
  const open = overrides.filter((o) => o.state === "PROPOSED");
  if (!open.length) return;
  const line = make(box, "p", { class: "waiting" });
  make(line, "b", { text: open.length + (open.length === 1 ? " override waits" : " overrides wait") + " for a second person: " });
  for (const o of open.slice(0, 20)) {
    const one = await api.series(state, o.osi_symbol).catch(() => null);
    if (one) link(line, { u: one.underlying, slice: one.slice || "", series: one.osi_symbol, tab: "smile" }, o.osi_symbol);
    line.append(" ");
  }
}

function distributions(page, board) {
  const pair = make(page, "div", { class: "pair" });
  const sources = Object.entries(board.totals.by_mark_source).sort((a, b) => b[1] - a[1]);
  let low = 0;
  const edits = board.edits.map((c) => {
    const name = c.up_to === null ? "above " + low : low + " to " + c.up_to;
    low = c.up_to;
    return [name, c.series];
  });
  for (const [title, pairs] of [["What decided the marks", sources], ["|mark − mid| in half-spreads", edits]]) {
    const { picture } = figure(pair, title, { columns: ["class", "series"], rows: () => pairs });
    picture.classList.add("bars-box");
    draw.bars(picture, pairs, title);
  }
}
