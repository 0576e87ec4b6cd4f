// Pictures of a close: smiles, residuals, total variance, edits. Plain JavaScript, no dependency.
// Every function takes an element and plain data, draws one SVG into the element and redraws it when the element's
// width changes. Colours come from the page's CSS variables, so light and dark need no code here. All text goes
// through textContent: nothing in the data can become markup.
"use strict";
globalThis.closemark = (() => {
  const SVG = "http://www.w3.org/2000/svg";

  function node(parent, name, attributes, text) {
    const element = document.createElementNS(SVG, name);
    for (const key in attributes) element.setAttribute(key, attributes[key]);
    if (text !== undefined) element.textContent = text;
    parent.appendChild(element);
    return element;
  }

  function html(parent, name, className, text) {
    const element = document.createElement(name);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    parent.appendChild(element);
    return element;
  }

  const finite = (value) => value !== null && Number.isFinite(value);
  const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
  const percent = (value, digits) => (finite(value) ? (100 * value).toFixed(digits) + " %" : "–");
  const fixed = (value, digits) => (finite(value) ? value.toFixed(digits) : "–");
  // Prices keep what they carry, at least two decimals.
  const money = (value) => {
    if (!finite(value)) return "–";
    const text = value.toFixed(6).replace(/0+$/, "");
    const decimals = text.length - text.indexOf(".") - 1;
    return decimals < 2 ? value.toFixed(2) : text;
  };

  function ticks(low, high, count) {
    const span = high - low;
    if (!(span > 0)) return [low];
    const raw = span / Math.max(1, count);
    const power = Math.pow(10, Math.floor(Math.log10(raw)));
    const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= raw) || 10 * power;
    const list = [];
    for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) list.push(i * step);
    return list;
  }

  function tickText(value, all) {
    const step = all.length > 1 ? Math.abs(all[1] - all[0]) : 1;
    let digits = 0;
    while (digits < 6 && Math.abs(step * Math.pow(10, digits) - Math.round(step * Math.pow(10, digits))) > 1e-6) digits++;
    return (value === 0 ? 0 : value).toFixed(digits);
  }

  // Frame, grid, ticks and axis titles; returns the scales.
  function axes(svg, box, x, y, format) {
    const sx = (v) => box.left + ((v - x[0]) / (x[1] - x[0] || 1)) * (box.right - box.left);
    const sy = (v) => box.bottom - ((v - y[0]) / (y[1] - y[0] || 1)) * (box.bottom - box.top);
    const xt = ticks(x[0], x[1], Math.max(2, Math.floor((box.right - box.left) / 90)));
    const yt = format.yTicks || ticks(y[0], y[1], Math.max(2, Math.floor((box.bottom - box.top) / 48)));
    const grid = node(svg, "g", { class: "grid", "aria-hidden": "true" });
    for (const v of yt) {
      node(grid, "line", { x1: box.left, x2: box.right, y1: sy(v), y2: sy(v) });
      node(grid, "text", { x: box.left - 7, y: sy(v) + 3.5, "text-anchor": "end" }, (format.y || tickText)(v, yt));
    }
    if (format.xTicks !== false) {
      for (const v of xt) {
        node(grid, "line", { x1: sx(v), x2: sx(v), y1: box.top, y2: box.bottom });
        node(grid, "text", { x: sx(v), y: box.bottom + 15, "text-anchor": "middle" }, (format.x || tickText)(v, xt));
      }
    }
    if (format.xTitle) node(grid, "text", { x: box.right, y: box.bottom + (format.xTicks === false ? 16 : 30), "text-anchor": "end", class: "title" }, format.xTitle);
    if (format.yTitle) node(grid, "text", { x: box.left, y: box.top - 8, "text-anchor": "start", class: "title" }, format.yTitle);
    return { sx, sy };
  }

  let clips = 0;
  function clip(svg, box) {
    const id = "clip" + clips++;
    node(node(svg, "clipPath", { id }), "rect", {
      x: box.left, y: box.top, width: Math.max(0, box.right - box.left), height: Math.max(0, box.bottom - box.top),
    });
    return node(svg, "g", { "clip-path": "url(#" + id + ")" });
  }

  const circle = (x, y, r) => "M" + (x - r).toFixed(1) + "," + y.toFixed(1) + "a" + r + "," + r + " 0 1,0 " + 2 * r + ",0a" + r + "," + r + " 0 1,0 " + -2 * r + ",0";
  const diamond = (x, y, r) => "M" + x.toFixed(1) + "," + (y - r).toFixed(1) + "l" + r + "," + r + "l" + -r + "," + r + "l" + -r + "," + -r + "z";
  const triangle = (x, y, r, up) => "M" + (x - r).toFixed(1) + "," + y.toFixed(1) + "h" + 2 * r + "l" + -r + "," + (up ? -1.6 * r : 1.6 * r).toFixed(1) + "z";

  function polyline(points) {
    let path = "";
    let pen = "M";
    for (const p of points) {
      if (p === null) pen = "M";
      else { path += pen + p[0].toFixed(1) + "," + p[1].toFixed(1); pen = "L"; }
    }
    return path;
  }

  // Draws now and again whenever the width changes.
  function responsive(element, draw) {
    let width = 0;
    const again = () => {
      const now = Math.floor(element.clientWidth);
      if (now > 0 && now !== width) { width = now; draw(now); }
    };
    again();
    if (globalThis.ResizeObserver && !element.watched) {
      element.watched = new ResizeObserver(() => requestAnimationFrame(() => element.again()));
      element.watched.observe(element);
    }
    element.again = again;
  }

  function canvas(element, width, height, label) {
    element.replaceChildren();
    return node(element, "svg", { width, height, viewBox: "0 0 " + width + " " + height, role: "img", "aria-label": label });
  }

  // The rows of a slice as objects, ascending strike; `deviations` is ln(K/F) over the money's standard deviation.
  function rows(slice, words) {
    const spread = slice.atm && slice.time > 0 ? slice.atm * Math.sqrt(slice.time) : 1;
    return slice.strike.map((strike, i) => {
      const bits = slice.reasons[i];
      const k = slice.forward ? Math.log(strike / slice.forward) : null;
      const put = slice.type[i] === "P";
      return {
        strike, k, put,
        deviations: k === null ? null : k / spread,
        otm: slice.forward ? (put ? strike <= slice.forward : strike >= slice.forward) : true,
        bid: slice.bid[i], ask: slice.ask[i], mid: slice.mid[i], mark: slice.mark[i],
        bidVolatility: slice.bid_volatility[i], midVolatility: slice.mid_volatility[i], askVolatility: slice.ask_volatility[i],
        volatility: slice.volatility[i], residual: slice.residual[i],
        excluded: slice.accepted[i] === "0",
        source: words.sources[slice.source[i]] || "",
        // What only the service's page has.
        symbol: slice.symbol ? slice.symbol[i] : undefined,
        delta: slice.delta ? slice.delta[i] : null,
        root: k === null || !(slice.time > 0) ? null : k / Math.sqrt(slice.time),
        reasons: words.reasons.filter((_, bit) => Math.floor(bits / Math.pow(2, bit)) % 2 === 1),
      };
    });
  }

  const X = {
    strike: { title: "strike", of: (r) => r.strike, text: money },
    log: { title: "ln(K/F)", of: (r) => r.k, text: (v) => fixed(v, 3) },
    deviations: { title: "ln(K/F) in standard deviations", of: (r) => r.deviations, text: (v) => fixed(v, 2) },
    root: { title: "ln(K/F) / √T", of: (r) => r.root, text: (v) => fixed(v, 3) },
    // Grows with the strike like the others, from 0 to 1, for calls and puts alike.
    delta: { title: "|delta| of the put (1 − delta of the call)", of: (r) => (finite(r.delta) ? (r.put ? -r.delta : 1 - r.delta) : null), text: (v) => fixed(v, 3) },
  };

  // What stands upright: the volatility itself, or the total variance that it makes.
  const Y = {
    volatility: { title: "volatility", of: (v) => v, tick: (v, all) => tickText(100 * v, all.map((t) => 100 * t)) + " %", pad: 0.004 },
    variance: { title: "total variance", of: (v, time) => (finite(v) ? v * v * time : null), tick: (v, all) => tickText(v, all), pad: 1e-6 },
  };

  // The smoothed curve: the fit's own nodes where they are in the volatilities' coordinate, else through the marks.
  function curvePoints(slice, list, axis) {
    if (slice.curve_k.length > 1 && slice.curve_is_model && slice.time > 0 && axis !== "delta") {
      const spread = slice.atm ? slice.atm * Math.sqrt(slice.time) : 1;
      const points = [];
      const n = slice.curve_k.length;
      for (let i = 0; i < n; i++) {
        const steps = i + 1 < n ? 4 : 1;
        for (let s = 0; s < steps; s++) {
          const a = s / steps;
          const k = slice.curve_k[i] + (i + 1 < n ? a * (slice.curve_k[i + 1] - slice.curve_k[i]) : 0);
          const w = slice.curve_w[i] + (i + 1 < n ? a * (slice.curve_w[i + 1] - slice.curve_w[i]) : 0);
          points.push([axis === "strike" ? slice.forward * Math.exp(k) : axis === "log" ? k : axis === "root" ? k / Math.sqrt(slice.time) : k / spread, Math.sqrt(Math.max(0, w) / slice.time)]);
        }
      }
      return points;
    }
    return list.filter((r) => r.otm && finite(r.volatility) && finite(X[axis].of(r))).map((r) => [X[axis].of(r), r.volatility]);
  }

  // Where a strike stands on an axis; by delta it stands where its out-of-the-money series does.
  function placeOf(slice, list, axis) {
    if (axis === "delta") {
      const places = new Map(list.filter((r) => r.otm).map((r) => [r.strike, X.delta.of(r)]));
      return (strike) => places.get(strike) ?? null;
    }
    const spread = slice.atm && slice.time > 0 ? slice.atm * Math.sqrt(slice.time) : 1;
    return (strike) => {
      if (axis === "strike") return strike;
      if (!slice.forward) return null;
      const k = Math.log(strike / slice.forward);
      return axis === "log" ? k : axis === "root" ? k / Math.sqrt(slice.time) : k / spread;
    };
  }

  // Smile and residuals of one slice. Options: x (strike, log, deviations, root, delta), y (volatility, variance), all
  // (also in-the-money series), wide (all listed strikes, not only those with a two-sided quote), ghosts (other slices
  // whose curves are drawn faintly), lines (further curves: {strike, volatility, name}, name being their class: round,
  // past, target or cap), leftOut (symbols to be drawn as excluded instead of those that the last fit left out), chosen
  // (a symbol), pick (called with the row that is clicked or entered).
  function smile(element, slice, words, options) {
    const state = Object.assign({ x: "strike", y: "volatility", all: false, wide: false, ghosts: [], lines: [] }, options);
    const everything = rows(slice, words);
    if (state.leftOut) for (const r of everything) r.excluded = state.leftOut.has(r.symbol);
    const up = Y[state.y];
    const height_of = (volatility) => up.of(volatility, slice.time);
    responsive(element, (width) => {
      const narrow = width < 560;
      const axis = X[state.x];
      const shown = everything.filter((r) => (state.all || r.otm) && finite(axis.of(r)));
      const top = 26, height = narrow ? 250 : 310, strip = 84, gap = 46;
      const box = { left: 48, right: width - 10, top, bottom: top + height };
      const low = { left: 48, right: width - 10, top: box.bottom + gap, bottom: box.bottom + gap + strip };
      const label = "Smile of " + slice.label + ": bid and ask volatilities, mids, curve and marks by " + axis.title;
      const svg = canvas(element, width, low.bottom + 36, label);

      const two = shown.filter((r) => finite(r.midVolatility));
      const xs = (two.length > 1 && !state.wide ? two : shown).map(axis.of);
      if (xs.length === 0) {
        node(svg, "text", { x: width / 2, y: 90, "text-anchor": "middle", class: "empty" }, "No volatility is known in this slice.");
        return;
      }
      let x = [Math.min(...xs), Math.max(...xs)];
      const margin = (x[1] - x[0]) * 0.04 || Math.abs(x[0]) * 0.02 || 1;
      x = [x[0] - margin, x[1] + margin];
      const within = (v) => v >= x[0] && v <= x[1];
      const curve = curvePoints(slice, everything, state.x).map((p) => [p[0], height_of(p[1])]);
      const ghosts = state.ghosts.map((g) => curvePoints(g, rows(g, words), state.x).map((p) => [p[0], up.of(p[1], g.time)]));
      const place = placeOf(slice, everything, state.x);
      const lines = state.lines.map((line) => ({
        name: line.name,
        // No line across strikes that it does not speak of.
        points: line.strike.map((strike, i) => (finite(line.volatility[i]) && finite(place(strike)) ? [place(strike), height_of(line.volatility[i])] : null)),
      }));
      const ys = [];
      for (const line of lines) if (line.name === "round") for (const p of line.points) if (p && within(p[0])) ys.push(p[1]);
      for (const r of shown) {
        if (!within(axis.of(r))) continue;
        if (finite(r.midVolatility) && !r.excluded) ys.push(height_of(r.midVolatility));
        if (finite(r.volatility) && r.otm) ys.push(height_of(r.volatility));
      }
      for (const p of curve) if (within(p[0])) ys.push(p[1]);
      for (const r of shown) if (ys.length === 0 && finite(r.midVolatility)) ys.push(height_of(r.midVolatility));
      if (ys.length === 0) ys.push(0, 1);
      let y = [Math.min(...ys), Math.max(...ys)];
      const pad = Math.max((y[1] - y[0]) * 0.14, up.pad);
      y = [Math.max(0, y[0] - pad), y[1] + pad];

      const { sx, sy } = axes(svg, box, x, y, { y: up.tick, yTitle: up.title, xTicks: true });
      const plot = clip(svg, box);
      if (slice.forward) {
        const f = state.x === "strike" ? slice.forward : 0;
        if (within(f) && state.x !== "delta") {
          node(plot, "line", { x1: sx(f), x2: sx(f), y1: box.top, y2: box.bottom, class: "forward" });
          node(plot, "text", { x: sx(f) + 5, y: box.top + 12, class: "note" }, "forward");
        }
      }
      const paths = { callBar: "", putBar: "", callMid: "", putMid: "", callOut: "", putOut: "", mark: "" };
      const r0 = two.length > 160 ? 2 : two.length > 70 ? 2.5 : 3.1;
      for (const r of shown) {
        const px = sx(axis.of(r));
        const side = r.put ? "put" : "call";
        if (finite(r.askVolatility)) {
          const upper = clamp(sy(height_of(r.askVolatility)), box.top - 5, box.bottom + 5);
          const lower = finite(r.bidVolatility) ? clamp(sy(height_of(r.bidVolatility)), box.top - 5, box.bottom + 5) : box.bottom;
          paths[side + "Bar"] += "M" + px.toFixed(1) + "," + upper.toFixed(1) + "V" + lower.toFixed(1);
        }
        if (finite(r.midVolatility)) {
          const py = sy(height_of(r.midVolatility));
          const key = side + (r.excluded ? "Out" : "Mid");
          if (py < box.top) paths[key] += triangle(px, box.top + 7, 3.4, true);
          else if (py > box.bottom) paths[key] += triangle(px, box.bottom - 7, 3.4, false);
          else paths[key] += circle(px, py, r0);
        }
        if (finite(r.volatility)) paths.mark += diamond(px, sy(height_of(r.volatility)), r0);
      }
      node(plot, "path", { d: paths.callBar, class: "bar call" });
      node(plot, "path", { d: paths.putBar, class: "bar put" });
      for (const ghost of ghosts) {
        node(plot, "path", { d: polyline(ghost.map((p) => [sx(p[0]), clamp(sy(p[1]), -4000, 8000)])), class: "curve ghost" });
      }
      for (const line of lines) {
        node(plot, "path", { d: polyline(line.points.map((p) => p && [sx(p[0]), clamp(sy(p[1]), -4000, 8000)])), class: "curve " + line.name });
      }
      node(plot, "path", { d: polyline(curve.map((p) => [sx(p[0]), clamp(sy(p[1]), -4000, 8000)])), class: "curve" });
      node(plot, "path", { d: paths.callMid, class: "mid call" });
      node(plot, "path", { d: paths.putMid, class: "mid put" });
      node(plot, "path", { d: paths.callOut, class: "mid out call" });
      node(plot, "path", { d: paths.putOut, class: "mid out put" });
      node(plot, "path", { d: paths.mark, class: "mark" });

      // Residuals: (mark - mid) in half-spreads; inside the band the quote contains its mark.
      const reach = 2.5;
      const second = axes(svg, low, x, [-reach, reach], { xTitle: axis.title, yTitle: "mark − mid, in half-spreads", y: (v) => (v > 0 ? "+" : "") + fixed(v, 0), yTicks: [-2, -1, 0, 1, 2], xTicks: false });
      const under = clip(svg, low);
      node(under, "rect", { x: low.left, width: low.right - low.left, y: second.sy(1), height: second.sy(-1) - second.sy(1), class: "band" });
      node(under, "line", { x1: low.left, x2: low.right, y1: second.sy(0), y2: second.sy(0), class: "zero" });
      const stems = { call: "", put: "" }, heads = { callMid: "", putMid: "", callOut: "", putOut: "" };
      for (const r of shown) {
        if (!finite(r.residual)) continue;
        const px = sx(axis.of(r)), side = r.put ? "put" : "call", key = side + (r.excluded ? "Out" : "Mid");
        const py = second.sy(clamp(r.residual, -reach, reach));
        stems[side] += "M" + px.toFixed(1) + "," + second.sy(0).toFixed(1) + "V" + py.toFixed(1);
        if (Math.abs(r.residual) > reach) heads[key] += triangle(px, r.residual > 0 ? low.top + 7 : low.bottom - 7, 3.2, r.residual > 0);
        else heads[key] += circle(px, py, Math.min(r0, 2.4));
      }
      for (const side of ["call", "put"]) {
        node(under, "path", { d: stems[side], class: "stem " + side });
        node(under, "path", { d: heads[side + "Mid"], class: "mid " + side });
        node(under, "path", { d: heads[side + "Out"], class: "mid out " + side });
      }
      const chosen = state.chosen && shown.find((r) => r.symbol === state.chosen);
      if (chosen) {
        const at = finite(chosen.midVolatility) ? chosen.midVolatility : chosen.volatility;
        const cy = finite(at) ? clamp(sy(height_of(at)), box.top + 7, box.bottom - 7) : box.bottom - 7;
        node(plot, "circle", { cx: sx(axis.of(chosen)), cy, r: 8, class: "ring chosen" });
      }
      probe(element, svg, shown, (r) => sx(axis.of(r)), (r) => sy(height_of(finite(r.midVolatility) ? r.midVolatility : r.volatility)), box, low, state.pick);
    });
  }

  // Pointer and arrow keys: the nearest series, its numbers and its reasons.
  function probe(element, svg, list, px, py, box, low, pick) {
    const near = list.filter((r) => finite(px(r))).sort((a, b) => px(a) - px(b));
    const cross = node(svg, "line", { y1: box.top, y2: low.bottom, class: "cross", visibility: "hidden" });
    const ring = node(svg, "circle", { r: 6, class: "ring", visibility: "hidden" });
    const tip = html(element, "div", "tip");
    tip.hidden = true;
    tip.setAttribute("role", "status");
    let at = -1;
    const show = (index) => {
      const r = near[index];
      if (!r) return;
      at = index;
      const x = px(r), y = clamp(finite(py(r)) ? py(r) : box.bottom, box.top, box.bottom);
      cross.setAttribute("x1", x); cross.setAttribute("x2", x); cross.setAttribute("visibility", "visible");
      ring.setAttribute("cx", x); ring.setAttribute("cy", y); ring.setAttribute("visibility", "visible");
      tip.replaceChildren();
      html(tip, "b", r.put ? "put" : "call", (r.put ? "Put " : "Call ") + money(r.strike));
      const grid = html(tip, "dl");
      const line = (name, value) => { html(grid, "dt", "", name); html(grid, "dd", "", value); };
      line("bid × ask", money(r.bid) + " × " + money(r.ask));
      line("volatility", percent(r.bidVolatility, 2) + " × " + percent(r.askVolatility, 2));
      line("mid", money(r.mid) + "  " + percent(r.midVolatility, 2));
      line("mark", (finite(r.mark) ? r.mark.toFixed(6) : "none") + "  " + percent(r.volatility, 2));
      line("edit", finite(r.residual) ? (r.residual > 0 ? "+" : "") + r.residual.toFixed(2) + " half-spreads" : "–");
      line("source", r.source);
      if (r.excluded) html(tip, "p", "warn", "excluded from the fit" + (r.reasons.length ? ": " + r.reasons.join(", ") : ""));
      else if (r.reasons.length) html(tip, "p", "", r.reasons.join(", "));
      tip.hidden = false;
      const room = element.clientWidth, w = tip.offsetWidth;
      tip.style.left = clamp(x + 14 + w > room ? x - w - 14 : x + 14, 0, Math.max(0, room - w)) + "px";
      tip.style.top = box.top + 6 + "px";
    };
    const hide = () => { cross.setAttribute("visibility", "hidden"); ring.setAttribute("visibility", "hidden"); tip.hidden = true; at = -1; };
    svg.addEventListener("pointermove", (event) => {
      const frame = svg.getBoundingClientRect();
      const x = event.clientX - frame.left, y = event.clientY - frame.top;
      let best = -1, distance = Infinity;
      near.forEach((r, i) => {
        const dy = finite(py(r)) ? (py(r) - y) * 0.25 : 40;
        const d = (px(r) - x) * (px(r) - x) + dy * dy;
        if (d < distance) { distance = d; best = i; }
      });
      show(best);
    });
    svg.addEventListener("pointerleave", hide);
    if (pick) {
      svg.classList.add("pickable");
      svg.addEventListener("click", () => { if (near[at]) pick(near[at]); });
    }
    svg.setAttribute("tabindex", "0");
    svg.addEventListener("keydown", (event) => {
      if (event.key === "ArrowRight") show(Math.min(near.length - 1, at + 1));
      else if (event.key === "ArrowLeft") show(Math.max(0, at < 0 ? Math.floor(near.length / 2) : at - 1));
      else if (event.key === "Escape" && at >= 0) hide();
      else if (event.key === "Enter" && pick && near[at]) pick(near[at]);
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    svg.addEventListener("blur", hide);
  }

  // A ramp that stays readable on both grounds and for every kind of colour vision: from early to late expirations.
  function ramp(share) {
    const stops = [[72, 60, 140], [50, 105, 155], [40, 145, 140], [95, 185, 95], [225, 190, 40]];
    const at = clamp(share, 0, 1) * (stops.length - 1), i = Math.min(stops.length - 2, Math.floor(at)), a = at - i;
    return "rgb(" + stops[i].map((v, c) => Math.round(v + a * (stops[i + 1][c] - v))).join(",") + ")";
  }

  // Total variance of all expirations over log-moneyness: lines that cross are calendar arbitrage. `crossings` are
  // places {k, w} to mark.
  function variance(element, slices, crossings = []) {
    const list = slices.filter((s) => s.k.length > 0);
    responsive(element, (width) => {
      const box = { left: 56, right: width - 10, top: 26, bottom: width < 340 ? 270 : 400 };
      const svg = canvas(element, width, box.bottom + 36, "Total variance by log-moneyness, one line for each of " + list.length + " expirations");
      if (list.length === 0) {
        node(svg, "text", { x: width / 2, y: 90, "text-anchor": "middle", class: "empty" }, "No curve in this class.");
        return;
      }
      // Root scale: the variance of a week and of two years are both to be seen, and order is kept.
      const root = (w) => Math.sqrt(Math.max(0, w));
      const limit = Math.max(0.05, ...list.map((s) => 3.2 * root(s.w[Math.floor(s.w.length / 2)])));
      const ks = list.flatMap((s) => s.k).filter((k) => Math.abs(k) <= limit);
      let x = [Math.min(0, ...ks), Math.max(0, ...ks)];
      if (!(x[1] > x[0])) x = [-0.1, 0.1];
      const ws = list.flatMap((s) => s.w.filter((_, i) => Math.abs(s.k[i]) <= limit)).map(root);
      const y = [0, (Math.max(...ws, 0) || 0.1) * 1.05];
      const { sx, sy } = axes(svg, box, x, y, {
        xTitle: "ln(K/F)", yTitle: "square root of total variance, by expiration", y: (v, all) => tickText(v, all),
      });
      const plot = clip(svg, box);
      const lines = list.map((s, i) => {
        const points = s.k.map((k, j) => [sx(k), sy(root(s.w[j]))]);
        const line = node(plot, "path", { d: points.length > 1 ? polyline(points) : circle(points[0][0], points[0][1], 3), class: "expiry" });
        line.style.stroke = ramp(list.length < 2 ? 0.4 : i / (list.length - 1));
        return line;
      });
      for (const c of crossings) node(plot, "circle", { cx: sx(c.k), cy: sy(root(c.w)), r: 6, class: "crossing" });
      const tip = html(element, "div", "tip");
      tip.hidden = true;
      svg.addEventListener("pointermove", (event) => {
        const frame = svg.getBoundingClientRect();
        const px = event.clientX - frame.left, py = event.clientY - frame.top;
        let best = -1, distance = 400;
        list.forEach((s, i) => s.k.forEach((k, j) => {
          const d = Math.abs(sx(k) - px) * 0.5 + Math.abs(sy(root(s.w[j])) - py);
          if (d < distance) { distance = d; best = i; }
        }));
        lines.forEach((line, i) => line.classList.toggle("faint", best >= 0 && i !== best));
        tip.hidden = best < 0;
        if (best >= 0) {
          tip.replaceChildren();
          html(tip, "b", "", list[best].label);
          html(tip, "p", "", "at the money " + percent(list[best].atm, 2) + ", T " + fixed(list[best].time, 4));
          tip.style.left = clamp(px + 14, 0, Math.max(0, width - tip.offsetWidth)) + "px";
          tip.style.top = clamp(py - 50, 0, box.bottom) + "px";
        }
      });
      svg.addEventListener("pointerleave", () => { tip.hidden = true; lines.forEach((line) => line.classList.remove("faint")); });
    });
  }

  // Labelled horizontal bars: [name, count] pairs.
  function bars(element, pairs, label) {
    const total = pairs.reduce((sum, p) => sum + p[1], 0) || 1;
    const most = Math.max(1, ...pairs.map((p) => p[1]));
    responsive(element, (width) => {
      const row = 24, left = Math.min(150, width * 0.38), right = 118;
      const svg = canvas(element, width, row * pairs.length + 6, label);
      pairs.forEach((pair, i) => {
        const y = i * row + 3, length = (pair[1] / most) * Math.max(20, width - left - right);
        const group = node(svg, "g", { class: "bars" });
        node(group, "text", { x: left - 8, y: y + 14, "text-anchor": "end" }, pair[0]);
        node(group, "rect", { x: left, y: y + 2, width: Math.max(pair[1] > 0 ? 1.5 : 0, length), height: row - 8, rx: 2 });
        node(group, "text", { x: left + length + 7, y: y + 14, class: "value" }, pair[1].toLocaleString("en-US") + "  " + (100 * pair[1] / total).toFixed(1) + " %");
      });
    });
  }

  // The series of a slice as a table: what the picture shows, for those who read rather than look.
  function table(element, slice, words) {
    const grid = html(element, "table");
    const head = html(html(grid, "thead"), "tr");
    for (const name of ["type", "strike", "bid", "ask", "mid", "mark", "mid vol", "mark vol", "edit, ½ spreads", "source", "reasons"]) {
      html(head, "th", "", name).scope = "col";
    }
    const body = html(grid, "tbody");
    for (const r of rows(slice, words)) {
      const line = html(body, "tr", r.excluded ? "excluded" : "");
      const cells = [r.put ? "put" : "call", money(r.strike), money(r.bid), money(r.ask), money(r.mid), finite(r.mark) ? r.mark.toFixed(6) : "none",
        percent(r.midVolatility, 2), percent(r.volatility, 2), fixed(r.residual, 2), r.source, r.reasons.join(", ") || (r.excluded ? "excluded" : "")];
      for (const cell of cells) html(line, "td", "", cell);
    }
  }

  return {
    smile, variance, bars, table, rows, html, percent, fixed, money,
    // The tools that the service's further pictures are made with.
    node, axes, clip, canvas, responsive, polyline, circle, ramp, ticks, tickText, clamp, finite, curvePoints,
  };
})();
