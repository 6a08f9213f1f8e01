// Pieces of a piping diagram in SVG. Each piece is drawn once and leaves a function that brings it up to date.
import { COLOURS } from "./colormap.js";
import { s, setAttribute, setData, setText } from "./dom.js";

const STILL = 1e-7; // m3/s; less is no flow
const FAST = 8e-4; // m3/s of a branch whose dashes move fastest

/** Colour of a temperature on the scale, and one that shows on it. */
function colours(degrees, [low, high]) {
  if (!Number.isFinite(degrees)) return ["var(--unknown)", "var(--surface)"];
  const at = 3 * Math.round(255 * Math.min(1, Math.max(0, (degrees - low) / (high - low))));
  const [r, g, b] = COLOURS.subarray(at, at + 3);
  return [`rgb(${r} ${g} ${b})`, 0.3 * r + 0.59 * g + 0.11 * b > 120 ? "#0b0f15" : "#ffffff"];
}

export class Drawing {
  /** `place` takes the picture; `scale` is the coolant's [low, high] in degrees Celsius. */
  constructor(place, scale, label) {
    this.place = place;
    this.scale = scale;
    this.svg = s("svg", { class: "piping", role: "group", "aria-label": label });
    this.updates = [];
    place.replaceChildren(this.svg);
  }

  size(width, height, zoom) {
    setAttribute(this.svg, "viewBox", `0 0 ${width} ${height}`);
    setAttribute(this.svg, "width", (width * zoom).toFixed(1));
    setAttribute(this.svg, "height", (height * zoom).toFixed(1));
  }

  update(state) {
    for (const update of this.updates) update(state);
  }

  add(element, update) {
    this.svg.append(element);
    if (update) this.updates.push((state) => update(element, state));
    return element;
  }

  /** A pipe along points [[x, y], ...] in the direction of flow; `warmth(state)` in degrees, `flow(state)` in m3/s. */
  pipe(points, warmth, flow, width = 7, parent = this.svg) {
    const d = points.map(([x, y], i) => `${i ? "L" : "M"}${x} ${y}`).join(" ");
    const body = s("path", { d, class: "pipe", "stroke-width": width });
    const dashes = s("path", { d, class: "pipe-flow", "stroke-width": Math.max(1.6, width * 0.28) });
    parent.append(s("path", { d, class: "pipe-edge", "stroke-width": width + 2 }), body, dashes);
    this.updates.push((state) => {
      const [colour, contrast] = colours(warmth(state), this.scale);
      const now = flow(state);
      setAttribute(body, "stroke", colour);
      setAttribute(dashes, "stroke", contrast);
      setData(dashes, "flow", !(Math.abs(now) > STILL) ? "none" : now > 0 ? "on" : "back");
      const pace = Math.min(4, Math.max(1, Math.ceil((4 * Math.abs(now)) / FAST)));
      setData(dashes, "pace", String(pace || 1));
    });
  }

  /** A text whose content is `text(state)` or fixed. */
  text(x, y, kind, text, parent = this.svg) {
    const element = s("text", { x, y, class: `d-${kind}` });
    parent.append(element);
    if (typeof text === "function") this.updates.push((state) => setText(element, text(state)));
    else element.textContent = text;
    return element;
  }

  /** A text of parts [[kind, text(state)], ...] one behind the other. */
  line(x, y, parts, anchor = "start", parent = this.svg) {
    const element = s("text", { x, y, "text-anchor": anchor });
    for (const [kind, text] of parts) {
      const part = s("tspan", { class: `d-${kind}`, dx: element.childNodes.length ? 5 : 0 });
      element.append(part);
      if (typeof text === "function") this.updates.push((state) => setText(part, text(state)));
      else part.textContent = text;
    }
    parent.append(element);
    return element;
  }

  /** An arrow head on a pipe; `turn` in degrees, 0 points right. */
  arrow(x, y, turn, warmth, flow, parent = this.svg) {
    const element = s("path", { d: "M-4 -4 L5 0 L-4 4 Z", class: "pipe-arrow" });
    parent.append(element);
    this.updates.push((state) => {
      const now = flow(state);
      setData(element, "flow", Math.abs(now) > STILL ? "on" : "none");
      setAttribute(element, "transform", `translate(${x} ${y}) rotate(${turn + (now < 0 ? 180 : 0)})`);
      setAttribute(element, "fill", colours(warmth(state), this.scale)[1]);
    });
  }

  /** Two triangles, tip to tip: a valve; `tone(state)` colours it. */
  valve(x, y, tone, title, parent = this.svg) {
    const words = s("title");
    const element = s("path", { d: "M-9 -7 L9 7 L9 -7 L-9 7 Z", class: "d-valve", transform: `translate(${x} ${y})` }, words);
    parent.append(element);
    this.updates.push((state) => {
      setData(element, "tone", tone(state));
      setText(words, title(state));
    });
  }
}
