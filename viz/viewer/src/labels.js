// Names over things in a 3-D view: the nearest win where they would overlap, numbers where there is room.
import { h } from "./dom.js";

const WIDE = 74; // px, name and number
const NARROW = 34; // px, the name alone
const TALL = 22; // px

const clash = (p, q) =>
  p !== q && Math.abs(p.at.x - q.at.x) < (p.width + q.width) / 2 && Math.abs(p.at.y - q.at.y) < TALL;

export class Labels {
  constructor(parent, { wide = WIDE, narrow = NARROW } = {}) {
    this.layer = h("div", { class: "labels", "aria-hidden": "true" });
    parent.append(this.layer);
    this.entries = new Map();
    Object.assign(this, { wide, narrow });
  }

  /** Name these anchors: {name, kind, at: [x, y, z]}. */
  set(anchors) {
    this.layer.replaceChildren();
    this.entries.clear();
    for (const anchor of anchors) {
      const value = h("span", { class: "label-value" });
      const label = h("div", { class: `label label-${anchor.kind}` }, h("b", {}, anchor.text ?? anchor.name), value);
      this.layer.append(label);
      this.entries.set(anchor.name, { anchor, label, value });
    }
  }

  get(name) {
    return this.entries.get(name);
  }

  select(name) {
    for (const { anchor, label } of this.entries.values()) label.classList.toggle("selected", anchor.name === name);
  }

  /** Put them where a stage shows their anchors; the one named `first` always has its place. */
  place(stage, first, visible = () => true) {
    const { clientWidth: width } = stage.parent;
    const rank = ({ entry, at }) => (entry.anchor.name === first ? -1 : at.depth);
    const seen = [];
    for (const entry of this.entries.values()) {
      const at = stage.project(entry.anchor.at);
      entry.label.style.visibility = "hidden";
      if (at && visible(entry.anchor) && at.x > this.wide / 2 && at.x < width - this.wide / 2 && at.y > 24) seen.push({ entry, at });
    }
    const placed = [];
    for (const item of seen.sort((p, q) => rank(p) - rank(q))) {
      item.width = this.narrow;
      if (!placed.some((other) => clash(item, other))) placed.push(item);
    }
    for (const item of placed) {
      item.width = this.wide;
      const wide = !placed.some((other) => clash(item, other));
      if (!wide) item.width = this.narrow;
      const { label } = item.entry;
      label.classList.toggle("narrow", !wide);
      label.style.transform = `translate(${item.at.x.toFixed(1)}px, ${item.at.y.toFixed(1)}px) translate(-50%, -100%)`;
      label.style.visibility = "visible";
    }
  }
}
