// The JSON of the service. Runs never change, so that what was read of one is kept; only the list of dates is asked
// for again.

const kept = new Map();
const KEPT_MAX = 60;

export class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function get(path) {
  const answer = await fetch("api/v1/" + path, { headers: { accept: "application/json" } });
  const body = await answer.json().catch(() => null);
  if (!answer.ok) throw new Refusal(answer.status, (body && body.error && body.error.message) || answer.statusText);
  return body;
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
export const changes = (at, base) => once(run(at) + "/changes?base=" + part(base));
export const address = (at, name, id) => "api/v1/" + run(at) + "/underlyings/" + part(name) + (id ? "/slices/" + part(id) : "");
