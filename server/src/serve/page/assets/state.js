// All state of the page is its address; this module reads and writes it, and nothing else keeps any.

const KEYS = ["date", "run", "u", "slice", "tab", "x", "y", "all", "wide", "round", "series", "heat", "against", "sort", "filter"];

export const defaults = { tab: "smile", x: "strike", y: "volatility", all: "", wide: "", round: "", heat: "volatility", sort: "doubt", filter: "" };

export function read() {
  const query = new URLSearchParams(location.search);
  const state = {};
  for (const key of KEYS) state[key] = query.get(key) ?? defaults[key] ?? "";
  return state;
}

// The address of the present state with some of it changed; an empty value leaves a key out.
export function address(changes, from = read()) {
  const query = new URLSearchParams();
  for (const key of KEYS) {
    const value = key in changes ? changes[key] : from[key];
    if (value && value !== defaults[key]) query.set(key, value);
  }
  const text = query.toString();
  return text ? "?" + text : location.pathname;
}

const listeners = [];
export const onChange = (listener) => listeners.push(listener);
const changed = () => listeners.forEach((listener) => listener(read()));

// Goes to a state; `replace` where going back should skip the step (a slider, a filter).
export function go(changes, { replace = false } = {}) {
  const to = address(changes);
  if (to === location.pathname + location.search || to === location.search) return;
  history[replace ? "replaceState" : "pushState"](null, "", to);
  changed();
}

addEventListener("popstate", changed);

// Links inside the page change the state instead of loading it again; with a modifier key they do what links do.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-go]");
  if (!link || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  history.pushState(null, "", link.getAttribute("href"));
  changed();
});
