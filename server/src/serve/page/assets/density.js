// The density that the marks imply: the second differences of call prices over strikes, by Breeden and Litzenberger
// (1978). Published marks are convex, so that it is nowhere negative; the mids' own is, where the market's quotes cross.
import { figure, finite, make, percent } from "./parts.js";

const draw = globalThis.closemark;

// Mass of each interior strike, per unit of strike, from `price` of one type's rows; undiscounted.
export function second(rows, price, discount) {
  const list = rows.filter((r) => finite(price(r)));
  const found = [];
  for (let i = 1; i + 1 < list.length; i++) {
    const [a, b, c] = [list[i - 1], list[i], list[i + 1]];
    const slope = (from, to) => (price(to) - price(from)) / (to.strike - from.strike);
    const mass = (slope(b, c) - slope(a, b)) / discount;
    const [left, right] = [(a.strike + b.strike) / 2, (b.strike + c.strike) / 2];
    found.push({ strike: b.strike, left, right, mass, density: mass / (right - left) });
  }
  return found;
}

// Out-of-the-money prices alone decide: puts below the forward, calls above; both give the same second difference.
function sides(rows, forward, price, discount) {
  const unique = (list) => list.filter((r, i) => i === 0 || r.strike > list[i - 1].strike);
  const puts = unique(rows.filter((r) => r.put)), calls = unique(rows.filter((r) => !r.put));
  const below = second(puts, price, discount).filter((d) => d.strike < forward);
  const above = second(calls, price, discount).filter((d) => d.strike >= forward);
  return [...below, ...above];
}

export function density(parent, slice, rows, name) {
  const discount = finite(slice.discount_factor) ? slice.discount_factor : 1;
  const usable = finite(slice.forward) && slice.time > 0;
  const marks = usable ? sides(rows, slice.forward, (r) => r.mark, discount) : [];
  const mids = usable ? sides(rows, slice.forward, (r) => r.mid, discount) : [];
  const sum = marks.reduce((s, d) => s + d.mass, 0);
  const negative = marks.filter((d) => d.mass < -1e-9), crossed = mids.filter((d) => d.mass < -1e-9);
  const american = slice.exercise_style === "american" ? " Early exercise is in these prices: read deep strikes with care." : "";
  const note = usable
    ? "Area " + percent(sum, 1) + " of the probability between the outermost strikes. Negative in the marks: " + (negative.length || "nowhere") + "; in the mids, whose violations stand below the line: " + (crossed.length || "nowhere") + "." + american
    : "No forward, or nothing left to expire.";
  const columns = ["strike", "from", "to", "probability (marks)", "density (marks)", "probability (mids)"];
  const table = () => marks.map((d) => [d.strike, d.left, d.right, d.mass, d.density, (mids.find((m) => m.strike === d.strike) || {}).mass ?? null]);
  const { picture } = figure(parent, "Implied density", { note, columns, rows: table, file: "density " + name });
  draw.responsive(picture, (width) => {
    const box = { left: 48, right: width - 10, top: 20, bottom: 190 };
    const svg = draw.canvas(picture, width, box.bottom + 36, "Density of the underlying at expiry that the marks imply, by strike");
    if (marks.length === 0) {
      draw.node(svg, "text", { x: width / 2, y: 80, "text-anchor": "middle", class: "empty" }, "Fewer than three strikes.");
      return;
    }
    // The range that holds nearly everything; single far strikes would flatten the rest.
    const spread = slice.atm && slice.time > 0 ? slice.atm * Math.sqrt(slice.time) : 0.2;
    const limit = [slice.forward * Math.exp(-4.5 * spread), slice.forward * Math.exp(4.5 * spread)];
    const seen = marks.filter((d) => d.right >= limit[0] && d.left <= limit[1]);
    const shown = seen.length > 2 ? seen : marks;
    const x = [shown[0].left, shown[shown.length - 1].right];
    const sorted = shown.map((d) => d.density).sort((a, b) => a - b);
    const most = Math.max(sorted[Math.floor(0.97 * (sorted.length - 1))] * 1.25, 1e-12);
    const least = Math.min(0, sorted[0]);
    const { sx, sy } = draw.axes(svg, box, x, [least - 0.12 * most, most], { xTitle: "strike", yTitle: "probability per 1.00 of the underlying", y: (v, all) => (v < 0 ? "" : draw.tickText(v, all)) });
    const plot = draw.clip(svg, box);
    draw.node(plot, "line", { x1: box.left, x2: box.right, y1: sy(0), y2: sy(0), class: "zero" });
    for (const d of shown) {
      const [top, bottom] = [sy(Math.max(0, d.density)), sy(Math.min(0, d.density))];
      draw.node(plot, "rect", { x: sx(d.left), width: Math.max(0.5, sx(d.right) - sx(d.left) - 0.4), y: top, height: Math.max(0, bottom - top), class: d.mass < -1e-9 ? "negative" : "mass" });
    }
    for (const d of crossed.filter((m) => m.strike >= x[0] && m.strike <= x[1])) {
      draw.node(plot, "path", { d: "M" + sx(d.strike) + "," + (sy(0) + 3) + "l4,7h-8z", class: "negative" });
    }
    if (slice.forward >= x[0] && slice.forward <= x[1]) draw.node(plot, "line", { x1: sx(slice.forward), x2: sx(slice.forward), y1: box.top, y2: box.bottom, class: "forward" });
  });
}
