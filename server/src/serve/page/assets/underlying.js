// One underlying: its expirations, and what its tab shows of them.
import * as api from "./api.js";
import * as smile from "./smile.js";
import * as term from "./term.js";
import * as heat from "./heat.js";
import * as compare from "./compare.js";
import { choice, link, make, money, spelt, total, whole } from "./parts.js";

const TABS = { smile: ["Smile", smile], term: ["Expirations", term], heat: ["Heat map", heat], compare: ["Compare", compare] };

export async function show(view, state) {
  const [one, board] = await Promise.all([api.underlying(state, state.u), api.board(state)]);
  const row = board.rows.find((r) => r.underlying === state.u);
  // An address that names a series alone means its slice.
  const asked = state.slice || !state.series ? state.slice : await api.series(state, state.series).then((s) => s.slice, () => "");
  const slice = one.slices.find((s) => s.slice === asked) || one.slices.find((s) => row && s.slice === row.slice) || one.slices[0];
  const tab = TABS[state.tab] ? state.tab : "smile";

  const page = make(null, "div", { class: "underlying" });
  const head = make(page, "div", { class: "heading" });
  link(head, { u: "", slice: "", series: "", tab: "" }, "← board", { class: "back" });
  make(head, "h1", {}, one.underlying + " ", make(null, "span", { class: "soft", text: money(one.price) }));
  if (row) make(page, "p", { class: "soft", text: sentence(row) });
  choice(page, "view", "tab", Object.entries(TABS).map(([key, [text]]) => [key, text]), tab).classList.add("tabs");
  if (tab === "smile" || tab === "compare") {
    const strip = choice(page, "expiration", "slice", one.slices.map((s) => [s.slice, s.chip, s.label]), slice.slice);
    strip.classList.add("strip");
    strip.querySelectorAll("a").forEach((a, i) => { if (total(one.slices[i].after) > 0 || one.slices[i].solver_status === "BREAKDOWN") a.classList.add("doubtful"); });
  }
  const body = make(page, "div", { class: "tab" });
  await TABS[tab][1].fill(body, { state: { ...state, slice: slice.slice, tab }, one, slice, board });
  view.replaceChildren(page);
  const chosen = page.querySelector(".strip [aria-current]");
  if (chosen) chosen.parentNode.scrollLeft = chosen.offsetLeft - chosen.parentNode.offsetLeft - 60;
}

function sentence(row) {
  const parts = [whole(row.series) + " series in " + whole(row.slices) + " slices"];
  if (total(row.after) > 0) parts.push("published violations: " + spelt(row.after));
  if (row.inside !== null) parts.push((100 * row.inside).toFixed(1) + " % inside the quote");
  if (row.worst_edit !== null) parts.push("largest edit " + row.worst_edit.toFixed(2) + " half-spreads");
  if (row.not_converged) parts.push(row.not_converged + " slices not converged");
  if (row.unmarked) parts.push(whole(row.unmarked) + " series without a mark");
  if (total(row.before) > 0) parts.push("violations in the mids: " + spelt(row.before));
  return parts.join("; ");
}

// The neighbours that the arrow keys reach.
export async function neighbours(state) {
  const [one, board] = await Promise.all([api.underlying(state, state.u), api.board(state)]);
  const at = one.slices.findIndex((s) => s.slice === state.slice);
  const row = board.rows.findIndex((r) => r.underlying === state.u);
  const slice = (i) => one.slices[Math.min(one.slices.length - 1, Math.max(0, i))].slice;
  const other = (i) => board.rows[Math.min(board.rows.length - 1, Math.max(0, i))];
  const here = at < 0 ? one.slices.findIndex((s) => row >= 0 && s.slice === board.rows[row].slice) : at;
  return { earlier: slice(here - 1), later: slice(here + 1), above: other(row - 1), below: other(row + 1) };
}
