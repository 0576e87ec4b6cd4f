// Who the reader is. A token is typed into a form, kept in the memory of this page alone, and gone when it is closed.
import * as api from "./api.js";
import { make } from "./parts.js";

let changed = () => {};
let corner = null;

export const mayRead = async () => (await api.who()).roles.includes("read");
export const may = async (role) => (await api.who()).roles.includes(role);

export function start(holder, then) {
  corner = holder;
  changed = then;
  show();
}

// The corner of the page: nothing where the service knows nobody by name.
async function show() {
  const one = await api.who().catch(() => null);
  corner.replaceChildren();
  if (!one || !one.names) return;
  if (one.anonymous) {
    // Who may not even read finds the form in the page itself.
    if (!one.roles.includes("read")) return;
    make(corner, "button", { type: "button", class: "plain", id: "sign-in", text: "Sign in", onclick: () => dialog() });
    return;
  }
  make(corner, "span", { class: "soft", text: one.name + " (" + one.roles.join(", ") + ") " });
  make(corner, "button", { type: "button", class: "plain", id: "sign-out", text: "Sign out", onclick: () => api.signIn("").then(again) });
}

function again() {
  show();
  changed();
}

export function dialog() {
  const box = make(document.body, "dialog", { "aria-label": "Sign in" });
  box.append(form("Sign in", "With a token that the operator of this service gave you.", () => box.close()));
  make(box, "button", { type: "button", class: "plain", text: "Cancel", onclick: () => box.close() });
  box.addEventListener("close", () => box.remove());
  box.showModal();
}

export function form(title, text, done = () => {}) {
  const box = make(null, "form", { class: "trouble", id: "token-form", autocomplete: "off" });
  make(box, "h1", { text: title });
  make(box, "p", { text: text + " It stays in the memory of this page and is gone when the page is closed." });
  const label = make(box, "label", { text: "token " });
  const field = make(label, "input", { type: "password", id: "token", autocomplete: "off", required: true });
  make(box, "button", { type: "submit", class: "plain", text: "Use it" });
  const said = make(box, "p", { class: "bad", role: "alert" });
  box.addEventListener("submit", async (event) => {
    event.preventDefault();
    const typed = field.value.trim();
    field.value = "";
    try {
      await api.signIn(typed);
      done();
      again();
    } catch (error) {
      said.textContent = error.message;
    }
  });
  return box;
}
