// Overrides on the card: what was proposed for the series, a form to propose a mark, and the second person's answer. The
// service decides who may; the page only does not offer what would be refused.
import * as api from "./api.js";
import { make } from "./parts.js";
import { dialog } from "./session.js";

const SAID = { PROPOSED: "proposed, waits for a second person", APPROVED: "approved, takes effect when the day is closed again", REJECTED: "rejected" };

export async function add(parent, state, one) {
  const box = make(parent, "section", { class: "override", "aria-label": "Override", "aria-busy": "true" });
  try {
    await fill(box, state, one);
  } catch (error) {
    make(box, "p", { class: "soft small", text: "Overrides cannot be shown: " + error.message });
  }
  box.removeAttribute("aria-busy");
}

async function fill(box, state, one) {
  const who = await api.who();
  box.replaceChildren();
  // Where the service knows nobody by name, nobody can override: two people are needed.
  if (!who.names) return;
  const { overrides } = await api.overrides(state.date);
  const own = overrides.filter((o) => o.osi_symbol === one.osi_symbol);
  const may = who.roles.includes("override");
  if (!may && !own.length && !who.anonymous) return;
  make(box, "h3", { text: "Override" });
  const again = () => fill(box, state, one);
  for (const o of own) proposal(box, state, o, may && o.state === "PROPOSED" && o.author !== who.name, again);
  if (may) propose(box, state, one, again);
  else if (who.anonymous) make(box, "button", { type: "button", class: "plain", text: "Sign in to override", onclick: () => dialog() });
}

function proposal(box, state, o, mayAnswer, again) {
  const item = make(box, "div", { class: "proposal" });
  make(item, "p", {}, make(null, "b", { text: o.mark.toFixed(6) }), " " + o.currency + " by " + o.author + ": " + o.reason);
  make(item, "p", { class: "soft small", text: SAID[o.state] + (o.approver ? " by " + o.approver : "") + (o.answer ? ": " + o.answer : "") });
  if (!mayAnswer) return;
  const form = make(item, "form", { class: "answer", autocomplete: "off" });
  const reason = make(make(form, "label", { text: "reason " }), "input", { type: "text", name: "reason", required: true, maxlength: 500 });
  const said = make(form, "p", { class: "bad", role: "alert" });
  const send = (approve) => async (event) => {
    event.preventDefault();
    if (!form.reportValidity()) return;
    await api.reply(state.date, o.id, { approve, reason: reason.value }).then(again, (error) => { said.textContent = error.message; });
  };
  make(form, "button", { type: "submit", class: "plain approve", text: "Approve" });
  make(form, "button", { type: "button", class: "plain reject", text: "Reject", onclick: send(false) });
  form.addEventListener("submit", send(true));
}

function propose(box, state, one, again) {
  const details = make(box, "details", {}, make(null, "summary", { text: "Propose another mark" }));
  const form = make(details, "form", { class: "propose", autocomplete: "off" });
  const field = (text, options) => make(make(form, "label", { text: text + " " }), "input", { required: true, ...options });
  const mark = field("mark, " + one.currency + " per share", { type: "text", name: "mark", inputmode: "decimal", pattern: "[0-9]{1,8}([.][0-9]{1,6})?", title: "a price with at most six decimals" });
  const reason = field("reason", { type: "text", name: "reason", maxlength: 500 });
  make(form, "p", { class: "soft small", text: "Another person with the role override must approve it; the next close of the day then has it." });
  make(form, "button", { type: "submit", class: "plain", text: "Propose" });
  const said = make(form, "p", { class: "bad", role: "alert" });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const body = { mark: mark.value, multiplier: one.multiplier, currency: one.currency, reason: reason.value };
    await api.propose(state, one.osi_symbol, body).then(again, (error) => { said.textContent = error.message; });
  });
}
