// The report's own page: hangs the pictures into the sections that the document already has.
"use strict";
(() => {
  const draw = globalThis.closemark;
  const data = JSON.parse(document.getElementById("data").textContent);
  draw.bars(document.getElementById("sources"), data.sources, "Series by mark source");
  draw.bars(document.getElementById("edits"), data.edits, "Series by size of |mark − mid| in half-spreads");

  function choice(parent, label, names, chosen, then) {
    const group = draw.html(parent, "div", "choice");
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", label);
    const buttons = names.map(([value, text, title]) => {
      const button = draw.html(group, "button", "", text);
      button.type = "button";
      if (title) button.title = title;
      button.addEventListener("click", () => { mark(value); then(value); });
      return { value, button };
    });
    const mark = (value) => buttons.forEach((b) => b.button.setAttribute("aria-pressed", String(b.value === value)));
    mark(chosen);
  }

  function fill(section, one) {
    const state = { slice: one.first, x: "strike", all: false };
    const figure = section.querySelector(".smile");
    const facts = section.querySelector(".facts");
    const tools = section.querySelector(".tools");
    const behind = section.querySelector("details.rows");
    const redraw = () => {
      const slice = one.slices[state.slice];
      if (!slice) { facts.textContent = "No slice with a quote."; return; }
      const fresh = figure.cloneNode(false);
      figure.parentNode.querySelector(".smile").replaceWith(fresh);
      draw.smile(fresh, slice, data.words, state);
      facts.replaceChildren();
      for (const [name, value] of slice.facts) {
        const pair = draw.html(facts, "div");
        draw.html(pair, "dt", "", name);
        draw.html(pair, "dd", "", value);
      }
      const holder = behind.querySelector("div");
      holder.replaceChildren();
      if (behind.open) draw.table(holder, slice, data.words);
    };
    behind.addEventListener("toggle", () => {
      const holder = behind.querySelector("div");
      holder.replaceChildren();
      if (behind.open && one.slices[state.slice]) draw.table(holder, one.slices[state.slice], data.words);
    });
    choice(tools, "expiration", one.slices.map((s, i) => [i, s.chip, s.label]), state.slice, (v) => { state.slice = v; redraw(); });
    choice(tools, "horizontal axis", [["strike", "strike"], ["log", "ln(K/F)"], ["deviations", "deviations"]], state.x, (v) => { state.x = v; redraw(); });
    choice(tools, "series shown", [[false, "out of the money"], [true, "all"]], false, (v) => { state.all = v; redraw(); });
    redraw();
    draw.variance(section.querySelector(".variance"), one.variance);
  }
  document.querySelectorAll("section[data-worst]").forEach((section) => fill(section, data.worst[Number(section.dataset.worst)]));

  // The board: a click on a heading sorts, the field filters.
  const board = document.getElementById("board");
  const body = board.tBodies[0];
  board.querySelectorAll("th").forEach((head, column) => {
    const button = head.querySelector("button");
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") !== "descending";
      board.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent;
      const number = (text) => (text === "" ? -Infinity : Number(text));
      const sorted = [...body.rows].sort((a, b) => {
        const [x, y] = [key(a), key(b)];
        const order = column === 0 ? (x < y ? 1 : x > y ? -1 : 0) : number(y) - number(x);
        return down ? order : -order;
      });
      body.append(...sorted);
    });
  });
  document.getElementById("filter").addEventListener("input", (event) => {
    const wanted = event.target.value.trim().toUpperCase();
    for (const row of body.rows) row.hidden = !row.cells[0].textContent.toUpperCase().includes(wanted);
  });
})();
