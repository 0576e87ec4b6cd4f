// Parts that every view is made of: elements, choices, tables that sort, export of tables and pictures.
import { address } from "./state.js";

const draw = globalThis.closemark;
export const { percent, fixed, money, finite } = draw;

export function make(parent, name, options = {}, ...children) {
  const element = document.createElement(name);
  for (const key in options) {
    if (key === "class") element.className = options[key];
    else if (key === "text") element.textContent = options[key];
    else if (key.startsWith("on")) element.addEventListener(key.slice(2), options[key]);
    else if (options[key] !== undefined && options[key] !== null && options[key] !== false) element.setAttribute(key, options[key] === true ? "" : options[key]);
  }
  element.append(...children);
  if (parent) parent.appendChild(element);
  return element;
}

export const link = (parent, changes, text, options = {}) => make(parent, "a", { href: address(changes), "data-go": "", text, ...options });

export const whole = (value) => (finite(value) ? value.toLocaleString("en-US") : "–");
export const signed = (value, digits) => (finite(value) ? (value > 0 ? "+" : "") + value.toFixed(digits) : "–");
export const total = (kinds) => (kinds ? kinds.vertical + kinds.butterfly + kinds.calendar + kinds.parity : 0);
export const spelt = (kinds) => {
  const said = ["vertical", "butterfly", "calendar", "parity"].filter((k) => kinds[k] > 0).map((k) => whole(kinds[k]) + " " + k);
  return said.length ? said.join(", ") : "none";
};

// One of several, as links: the choice is in the address. `more` says what else a value changes there.
export function choice(parent, label, key, names, chosen, more = () => ({})) {
  const group = make(parent, "div", { class: "choice", role: "group", "aria-label": label });
  for (const [value, text, title] of names) {
    const current = value === chosen;
    link(group, { [key]: value, ...more(value) }, text, { class: "option", title, "aria-current": current ? "true" : undefined });
  }
  return group;
}

// A figure with its title, its picture, its exports and the table behind it.
export function figure(parent, title, options = {}) {
  const box = make(parent, "figure", { class: "card " + (options.class || "") });
  const head = make(box, "figcaption", {}, make(null, "h3", { text: title }));
  if (options.note) make(head, "p", { class: "soft", text: options.note });
  const picture = make(box, "div", { class: options.picture || "picture" });
  const foot = make(box, "div", { class: "exports" });
  if (options.svg !== false) make(foot, "button", { type: "button", class: "plain", text: "PNG", title: "Save this picture", onclick: () => savePicture(picture, options.file || title) });
  if (options.rows) {
    make(foot, "button", { type: "button", class: "plain", text: "CSV", title: "Save the numbers behind it", onclick: () => saveTable(options.columns, options.rows(), options.file || title) });
    const behind = make(box, "details", { class: "behind" }, make(null, "summary", { text: "The numbers as a table" }));
    const holder = make(behind, "div", { class: "scroll" });
    behind.addEventListener("toggle", () => {
      holder.replaceChildren();
      if (behind.open) plainTable(holder, options.columns, options.rows(), title);
    });
  }
  return { box, picture, foot };
}

export function plainTable(parent, columns, rows, label) {
  const table = make(parent, "table", { "aria-label": label });
  const head = make(make(table, "thead"), "tr");
  for (const column of columns) make(head, "th", { scope: "col", text: column, class: typeof (rows[0] || [])[columns.indexOf(column)] === "string" ? "left" : "" });
  const body = make(table, "tbody");
  for (const row of rows) {
    const line = make(body, "tr");
    for (const value of row) make(line, "td", { class: typeof value === "string" ? "left" : "", text: value === null || value === undefined ? "–" : typeof value === "number" ? shortest(value) : value });
  }
  return table;
}

const shortest = (value) => (Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(8))));

// Text that a spreadsheet would take for a formula is quoted; numbers stay numbers.
export function csvCell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? "'" + value : String(value);
  return /[",\n\r]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
}

export function saveTable(columns, rows, name) {
  const lines = [columns, ...rows].map((row) => row.map(csvCell).join(","));
  save(new Blob([lines.join("\n") + "\n"], { type: "text/csv" }), fileName(name) + ".csv");
}

const fileName = (name) => "closemark-" + name.replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^-+|-+$/g, "");

function save(blob, name) {
  const address = URL.createObjectURL(blob);
  const anchor = make(null, "a", { href: address, download: name });
  document.body.appendChild(anchor);
  anchor.click();
  anchor.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

const STYLES = ["fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-linejoin", "opacity", "font", "font-family", "font-size", "text-anchor", "visibility", "fill-opacity"];

// The picture as it is seen, colours and all: an SVG is drawn with its styles written out, a canvas as it is.
export async function savePicture(holder, name) {
  const source = holder.querySelector("svg, canvas");
  if (!source) return;
  const ratio = 2;
  const frame = source.getBoundingClientRect();
  const canvas = document.createElement("canvas");
  canvas.width = Math.ceil(frame.width * ratio);
  canvas.height = Math.ceil(frame.height * ratio);
  const context = canvas.getContext("2d");
  context.fillStyle = getComputedStyle(document.body).getPropertyValue("--card") || "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  if (source.tagName === "CANVAS") context.drawImage(source, 0, 0, canvas.width, canvas.height);
  else context.drawImage(await asImage(source, frame), 0, 0, canvas.width, canvas.height);
  canvas.toBlob((blob) => blob && save(blob, fileName(name) + ".png"), "image/png");
}

async function asImage(svg, frame) {
  const copy = svg.cloneNode(true);
  const [from, to] = [[svg, ...svg.querySelectorAll("*")], [copy, ...copy.querySelectorAll("*")]];
  from.forEach((element, i) => {
    const style = getComputedStyle(element);
    for (const key of STYLES) {
      const value = style.getPropertyValue(key);
      if (value && value !== "normal") to[i].setAttribute(key, value);
    }
    to[i].removeAttribute("class");
    to[i].removeAttribute("style");
  });
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("width", frame.width);
  copy.setAttribute("height", frame.height);
  const text = new XMLSerializer().serializeToString(copy);
  const image = new Image();
  const address = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
  await new Promise((done, failed) => {
    image.onload = done;
    image.onerror = () => failed(new Error("the picture cannot be drawn again"));
    image.src = address;
  });
  URL.revokeObjectURL(address);
  return image;
}
