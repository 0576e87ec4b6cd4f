// Two runs or dates side by side: their smiles in one picture, what changed most, and the lines that read the same data.
import * as api from "./api.js";
import { AXES, HEIGHTS } from "./smile.js";
import { choice, figure, finite, fixed, link, make, percent, plainTable, saveTable, signed, whole } from "./parts.js";
import { go } from "./state.js";
import { volatilityAt } from "./term.js";

const draw = globalThis.closemark;

export async function fill(parent, { state, slice, one }) {
  const { dates } = await api.dates();
  const others = dates.flatMap((d) => d.runs.map((r) => ({ date: d.date, run: r.run, state: r.state, current: r.run === d.current })))
    .filter((r) => r.date !== state.date || r.run !== state.run);
  const tools = make(parent, "div", { class: "tools" });
  choice(tools, "horizontal axis", "x", AXES.filter(([key]) => key !== "delta"), state.x === "delta" ? "strike" : state.x);
  choice(tools, "vertical axis", "y", HEIGHTS, state.y);
  if (others.length === 0) {
    make(parent, "p", { class: "soft", text: "There is one run only; nothing to compare it with." });
    reading(parent, state);
    return;
  }
  const wanted = others.find((r) => r.date + "/" + r.run === state.against) || others.find((r) => r.date === state.date) || others.find((r) => r.current) || others[0];
  const label = make(tools, "label", { text: "against " });
  const select = make(label, "select", { onchange: () => go({ against: select.value }) });
  for (const r of others) make(select, "option", { value: r.date + "/" + r.run, text: r.date + " " + r.run + " " + r.state + (r.current ? " (current)" : ""), selected: r === wanted });

  const full = await api.slice(state, state.u, slice.slice);
  const other = await api.slice(wanted, state.u, slice.slice).catch((error) => { if (error.status === 404) return null; throw error; });
  if (!other) make(parent, "p", { class: "soft", text: "The other run has no slice " + slice.label + "." });
  else pictures(parent, state, full, other, wanted);
  if (wanted.date === state.date) await changed(parent, state, wanted);
  reading(parent, state);
}

function pictures(parent, state, full, other, wanted) {
  const theirs = new Map(other.symbol.map((symbol, i) => [symbol, i]));
  const columns = ["symbol", "type", "strike", "mark", "other mark", "difference", "volatility", "other volatility"];
  const rows = () => full.symbol.map((symbol, i) => {
    const j = theirs.get(symbol);
    const mark = j === undefined ? null : other.mark[j];
    return [symbol, full.type[i] === "P" ? "put" : "call", full.strike[i], full.mark[i], mark, finite(full.mark[i]) && finite(mark) ? full.mark[i] - mark : null, full.volatility[i], j === undefined ? null : other.volatility[j]];
  });
  const note = "The line of this run; dashed that of " + wanted.date + " " + wanted.run + ". At the money " + percent(full.atm, 2) + " against " + percent(other.atm, 2) + ".";
  const { picture } = figure(parent, "Smile of " + full.label + ", twice", { note, picture: "smile", columns, rows, file: "compare " + state.u + " " + full.label });
  draw.smile(picture, full, full.words, { x: state.x === "delta" ? "strike" : state.x, y: state.y, all: state.all === "1", ghosts: [other] });
}

async function changed(parent, state, wanted) {
  const { changes, total: count } = await api.changes(state, wanted.run);
  make(parent, "h2", { text: "Marks that differ from run " + wanted.run });
  if (count === 0) {
    make(parent, "p", { class: "soft", text: "None: every series has the same mark in both runs." });
    return;
  }
  make(parent, "p", { class: "soft", text: whole(count) + " series" + (changes.length < count ? "; the " + whole(changes.length) + " largest are shown" : "") + "." });
  const columns = ["series", "before", "after", "difference", "reasons now"];
  const rows = changes.map((c) => [c.osi_symbol, c.before, c.after, finite(c.before) && finite(c.after) ? Number((c.after - c.before).toFixed(6)) : null, c.reasons.join(", ")]);
  make(parent, "button", { type: "button", class: "plain", text: "CSV", onclick: () => saveTable(columns, rows, "changes " + state.date) });
  const table = plainTable(make(parent, "div", { class: "scroll tall" }), columns, rows, "Marks that differ");
  table.querySelectorAll("tbody tr").forEach((line, i) => {
    line.cells[0].replaceChildren();
    link(line.cells[0], { u: changes[i].underlying, slice: changes[i].slice, series: changes[i].osi_symbol, tab: "smile" }, changes[i].osi_symbol);
  });
}

// The same data without this page.
function reading(parent, state) {
  const folder = "date=" + state.date + "/run=" + state.run + "/marks.parquet";
  const symbol = state.u.replaceAll("'", "''");
  const lines = [
    ["pyarrow, from this service", "import json, pyarrow.flight as flight\nclient = flight.connect(\"grpc://" + location.host + "\")\nticket = {\"dataset\": \"marks\", \"date\": \"" + state.date + "\", \"run\": \"" + state.run + "\", \"underlying\": " + JSON.stringify(state.u) + "}\nmarks = client.do_get(flight.Ticket(json.dumps(ticket).encode())).read_all()"],
    ["pyarrow, from the files", "import pyarrow.parquet as parquet\nmarks = parquet.read_table(\"out/" + folder + "\", filters=[(\"underlying\", \"=\", " + JSON.stringify(state.u) + ")])"],
    ["DuckDB", "SELECT osi_symbol, bid, ask, mark, mark_source, reasons\nFROM 'out/" + folder + "' WHERE underlying = '" + symbol + "';"],
  ];
  make(parent, "h2", { text: "The same data elsewhere" });
  for (const [name, text] of lines) {
    const box = make(parent, "div", { class: "code" });
    make(box, "h3", { text: name });
    make(box, "button", { type: "button", class: "plain", text: "Copy", onclick: async (event) => { const button = event.currentTarget; await navigator.clipboard.writeText(text); button.textContent = "Copied"; } });
    make(box, "pre", { tabindex: "0" }, make(null, "code", { text }));
  }
}
