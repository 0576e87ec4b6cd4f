// The JSON of the service. Runs never change, so that what was read of one is kept; only the list of dates and overrides
// are asked for again.

const kept = new Map();
const KEPT_MAX = 60;

export class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

// A token that the reader typed lives here and nowhere else: it is gone with the page.
let token = "";

async function call(path, options = {}) {
  const headers = { accept: "application/json", ...options.headers };
  if (token) headers.authorization = "Bearer " + token;
  const answer = await fetch("api/v1/" + path, { ...options, headers, credentials: "same-origin" });
  const text = await answer.text();
  let body = null;
  try { body = JSON.parse(text); } catch { /* a refusal before the page's own handlers is plain text */ }
  if (!answer.ok) throw new Refusal(answer.status, (body && body.error && body.error.message) || text.trim() || answer.statusText);
  return body;
}

const get = (path) => call(path);
const post = (path, body) => call(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

let known = null;
// Who the service takes the reader for: name and roles.
export function who() {
  known ??= get("who");
  known.catch(() => { known = null; });
  return known;
}

// From now on as the owner of a token; an empty one is nobody. Throws where the service does not know it.
export async function signIn(text) {
  const before = token;
  token = text;
  known = null;
  kept.clear();
  try {
    return await who();
  } catch (error) {
    token = before;
    throw error;
  }
}

function once(path) {
  if (kept.has(path)) return kept.get(path);
  const answer = get(path);
  kept.set(path, answer);
  answer.catch(() => kept.delete(path));
  if (kept.size > KEPT_MAX) kept.delete(kept.keys().next().value);
  return answer;
}

const part = encodeURIComponent;
const run = (at) => "dates/" + part(at.date) + "/runs/" + part(at.run);

export const dates = () => get("dates");
export const board = (at) => once(run(at));
export const underlying = (at, name) => once(run(at) + "/underlyings/" + part(name));
export const slice = (at, name, id) => once(run(at) + "/underlyings/" + part(name) + "/slices/" + part(id));
export const series = (at, symbol) => once(run(at) + "/marks/" + part(symbol));
export const origin = (at, symbol) => once(run(at) + "/marks/" + part(symbol) + "/origin");
export const rounds = (at, name, id) => once(run(at) + "/underlyings/" + part(name) + "/slices/" + part(id) + "/rounds");
export const overrides = (date) => get("dates/" + part(date) + "/overrides");
const request = () => "page-" + crypto.randomUUID();
export const propose = (at, symbol, body) => post("override/" + run(at) + "/marks/" + part(symbol), { ...body, request_id: request() });
export const reply = (date, id, body) => post("override/dates/" + part(date) + "/overrides/" + part(id), { ...body, request_id: request() });
export const changes = (at, base) => once(run(at) + "/changes?base=" + part(base));
export const address = (at, name, id) => "api/v1/" + run(at) + "/underlyings/" + part(name) + (id ? "/slices/" + part(id) : "");
