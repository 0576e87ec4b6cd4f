// The page: from the address to a view, and the keys that move between views.
import * as api from "./api.js";
import * as board from "./board.js";
import * as underlying from "./underlying.js";
import { make } from "./parts.js";
import * as session from "./session.js";
import { address, go, onChange, read } from "./state.js";

const view = document.getElementById("view");
const [dateSelect, runSelect, field, names] = ["date", "run", "q", "names"].map((id) => document.getElementById(id));
let turn = 0;

// The address with date and run filled in: the latest date with a close that counts, and the run that counts.
async function resolve() {
  const { dates } = await api.dates();
  const state = read();
  const day = dates.find((d) => d.date === state.date) || (state.date ? null : dates.find((d) => d.current) || dates[0]);
  if (!day) return { state, dates, day: null };
  const run = state.run && state.run !== "current" ? state.run : day.current || day.runs.at(-1).run;
  return { state: { ...state, date: day.date, run }, dates, day };
}

async function render() {
  const mine = ++turn;
  try {
    if (!(await session.mayRead())) {
      document.title = "closemark";
      later(mine).replaceChildren(session.form("This service asks who you are", "Reading needs a token with the role read."));
      return;
    }
    const { state, dates, day } = await resolve();
    if (mine !== turn) return;
    selects(state, dates, day);
    document.getElementById("home").href = address({ u: "", slice: "", series: "", tab: "", sort: "", filter: "" });
    if (!day) {
      document.title = "closemark";
      later(mine).replaceChildren(nothing(state, dates));
      return;
    }
    // Views take their address from here, so that every link names the run it was made from only where the reader did.
    if (state.u) await underlying.show(later(mine), state);
    else await board.show(later(mine), state);
    if (mine !== turn) return;
    document.title = (state.u ? state.u + " " : "") + state.date + " · closemark";
    suggest(state);
  } catch (error) {
    if (mine !== turn) return;
    const box = make(null, "div", { class: "trouble", role: "alert" });
    make(box, "h1", { text: error.status === 404 ? "Not found" : error.status ? "The service refused" : "The service does not answer" });
    make(box, "p", { text: error.message });
    make(box, "p", {}, make(null, "a", { href: address({ u: "", slice: "", series: "", tab: "" }), "data-go": "", text: "To the board" }));
    later(mine).replaceChildren(box);
    if (!error.status) console.error(error);
  }
}

// What a view finished after the reader has gone on is not shown any more.
function later(mine) {
  return { replaceChildren: (...children) => {
    if (mine !== turn) return;
    const position = scrollY;
    view.replaceChildren(...children);
    // Pictures take the width that they have from now on.
    view.querySelectorAll("div").forEach((element) => element.again && element.again());
    view.dataset.ready = location.search || "?";
    scrollTo(0, position);
  } };
}

function nothing(state, dates) {
  const box = make(null, "div", { class: "trouble" });
  make(box, "h1", { text: state.date ? "No close of " + state.date : "No close is published yet" });
  make(box, "p", { text: dates.length ? "Published: " + dates.slice(0, 12).map((d) => d.date).join(", ") : "closemark close --out DIR makes one; this page shows it at once." });
  return box;
}

function selects(state, dates, day) {
  dateSelect.replaceChildren(...dates.map((d) => make(null, "option", { value: d.date, text: d.date, selected: d.date === state.date })));
  const runs = day ? [...day.runs].reverse() : [];
  runSelect.replaceChildren(...runs.map((r) => make(null, "option", { value: r.run, text: r.run.slice(0, 8) + " " + r.state.toLowerCase() + (r.run === day.current ? ", current" : ""), selected: r.run === state.run })));
}

dateSelect.addEventListener("change", () => go({ date: dateSelect.value, run: "", series: "" }));
runSelect.addEventListener("change", () => go({ date: dateSelect.value, run: runSelect.value }));

let suggested = "";
async function suggest(state) {
  const of = state.date + "/" + state.run;
  if (suggested === of) return;
  suggested = of;
  const { rows } = await api.board(state);
  names.replaceChildren(...rows.map((r) => r.underlying).sort().slice(0, 8000).map((value) => make(null, "option", { value })));
}

// An underlying or a series, as typed.
document.getElementById("search").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = field.value.trim();
  if (!text) return;
  const { state, day } = await resolve();
  if (!day) return;
  const { rows } = await api.board(state);
  const found = rows.find((r) => r.underlying.toUpperCase() === text.toUpperCase());
  field.setCustomValidity("");
  if (found) go({ u: found.underlying, slice: "", series: "", tab: "" });
  else {
    try {
      const one = await api.series(state, text.length > 15 ? text.toUpperCase() : text);
      go({ u: one.underlying, slice: one.slice || "", series: one.osi_symbol, tab: "" });
    } catch (error) {
      if (error.status !== 404 && error.status !== 400) throw error;
      field.setCustomValidity("Neither an underlying nor a series of this run");
      field.reportValidity();
      return;
    }
  }
  field.value = "";
  field.blur();
});
field.addEventListener("input", () => field.setCustomValidity(""));

addEventListener("keydown", async (event) => {
  if (event.metaKey || event.ctrlKey || event.altKey) return;
  const typing = event.target.closest("input, select, textarea");
  if (event.key === "/" && !typing) {
    event.preventDefault();
    field.focus();
    field.select();
    return;
  }
  if (event.key === "Escape" && event.target === field) { field.blur(); return; }
  const { state, day } = typing || !["Escape", "ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"].includes(event.key) ? {} : await resolve();
  if (!day || !state.u) return;
  if (event.key === "Escape") go(state.series ? { series: "" } : { u: "", slice: "", tab: "" });
  const sideways = event.key === "ArrowLeft" || event.key === "ArrowRight";
  // Up and down scroll the page; with shift they go to the next underlying of the board.
  if (!sideways && !(event.shiftKey && event.key.startsWith("Arrow"))) return;
  const near = await underlying.neighbours(state);
  if (event.key === "ArrowLeft") go({ slice: near.earlier, series: "" });
  else if (event.key === "ArrowRight") go({ slice: near.later, series: "" });
  else {
    const next = event.key === "ArrowUp" ? near.above : near.below;
    go({ u: next.underlying, slice: next.slice || "", series: "" });
  }
});

onChange(render);
session.start(document.getElementById("person"), render);
render();
