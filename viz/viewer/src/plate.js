// The cold plate of a branch in 3-D: a block painted with its temperature, which can be cut open.
import * as THREE from "three";
import { byId, fixed, h, kilo, litres, setData, setText } from "./dom.js";
import { cssGradient } from "./colormap.js";
import { decodeFrame } from "./field.js";
import { Hover } from "./hover.js";
import { Labels } from "./labels.js";
import { FieldPaint } from "./paint.js";
import { palettes } from "./room.js";
import { Stage } from "./stage.js";

const AXES = ["X", "Y", "Z"];
const UNITS = 100; // of the scene in a metre: a plate of 70 mm is 7 wide
const CAMERA = { label: "3-D view of the cold plate; arrow keys orbit, plus and minus zoom", lowest: 0.98 * Math.PI, nearest: 2, farthest: 80 };
const POLL = 2000; // ms
const SOON = 400; // ms, while a solve is under way
const INSIDE = 2e-5; // m below a surface, where its number is asked for
const ROOMY = 480; // px of width for the names of all chips
const APART = 1.25; // layout and design file differ by more: said
const LOST = ["The 3-D picture is lost", "The graphics were reset. The picture comes back with them; the numbers stand below."];
const VIEWS = [["chips", "Chip side"], ["section", "Section"], ["lid", "Lid side"]];

export class PlateView {
  constructor(webgl) {
    this.webgl = webgl;
    this.visible = false;
    this.stats = { painted: 0, number: -1, frames: 0 };
    this.cuts = [0, 0, 0];
    this.view = "chips";
  }

  setTheme(name) {
    this.theme = name;
    this.paintBackground();
    if (this.data) this.build();
  }

  setVisible(visible) {
    this.visible = visible;
    if (visible) this.follow();
  }

  /** Look at the plate of a branch; a coil has none. */
  open(branch, hasPlate) {
    this.branch = hasPlate ? branch : null;
    setText(byId("plate-title"), `Cold plate of ${branch}`);
    this.clear();
    if (hasPlate) this.wait("Solving the plate", "For the flow, inlet temperature and heat of this branch now. A first solve compiles, which takes up to a minute.");
    else this.wait("No cold plate", `${branch} is an air coil.`);
    this.follow();
  }

  wait(title, text) {
    byId("plate-waiting").hidden = !title;
    setText(byId("plate-waiting-title"), title);
    setText(byId("plate-waiting-text"), text);
  }

  /** Show nothing of a plate: what stood there is true no more. */
  clear() {
    this.number = -1; // the next picture is new, whatever its number
    this.data = null;
    setText(byId("plate-numbers"), "");
    setText(byId("plate-state"), "");
    setText(byId("plate-note"), "");
    byId("plate-numbers").title = "";
    byId("plate-dock").hidden = true;
    byId("plate-views").hidden = true;
    this.labels?.set([]);
    this.targets = [];
    this.hover?.leave();
    this.empty();
    this.stage?.invalidate();
  }

  empty() {
    for (const child of [...(this.group?.children ?? [])]) {
      child.geometry.dispose();
      this.group.remove(child);
    }
  }

  /** Ask for newer pictures as long as somebody looks at this branch. */
  async follow() {
    const turn = (this.turn = (this.turn ?? 0) + 1);
    while (this.visible && this.branch && turn === this.turn) {
      let pause = POLL;
      const reply = await this.ask();
      if (turn !== this.turn) return;
      if (reply?.ok) {
        pause = await this.shown(reply, turn);
        if (turn !== this.turn) return;
      } else if (reply?.status === 404) {
        const why = await this.detail(reply);
        if (turn !== this.turn) return;
        this.clear();
        this.wait("No picture of this plate", why);
      }
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }

  /** Take what a reply holds. A broken frame or a fault of ours is told, and the next one is asked for all the same. */
  async shown(reply, turn) {
    try {
      const frame = await this.decoded(reply);
      if (!frame || turn !== this.turn) return POLL;
      return await this.take(frame);
    } catch (error) {
      console.error("plate:", error);
      if (turn !== this.turn) return POLL;
      this.clear();
      this.wait("No picture of this plate", "What the server sent could not be shown. The page asks again.");
      return POLL;
    }
  }

  /** The server's reply; null while it is away, which the badge says. */
  async ask() {
    try {
      return await fetch(`/api/plates/${encodeURIComponent(this.branch)}?after=${this.number}`);
    } catch {
      return null;
    }
  }

  /** What a reply holds; null where the connection broke on the way. */
  async decoded(reply) {
    let bytes;
    try {
      bytes = await reply.arrayBuffer();
    } catch {
      return null;
    }
    return decodeFrame(bytes);
  }

  async detail(reply) {
    try {
      return (await reply.json()).detail;
    } catch {
      return "The server does not say why.";
    }
  }

  async take({ header, texture }) {
    if (header.branch !== this.branch) return SOON;
    if (header.number < this.number) this.number = -1; // a restarted server counts anew
    if (header.type !== "field") {
      if (header.plate === "fault" || header.plate === "unsteady") {
        this.clear();
        this.wait(header.plate === "unsteady" ? "No steady plate now" : "No picture of this plate", header.message);
      }
      return header.plate === "solving" ? SOON : POLL;
    }
    this.number = header.number;
    this.wait("", "");
    this.showNumbers(header);
    this.note(header);
    if (!this.webgl) {
      this.wait("This browser has no WebGL 2", "The numbers of the plate stand below.");
      return POLL;
    }
    if (!this.stage && !this.start()) {
      this.wait("No 3-D picture", "The browser gives no more 3-D graphics; the numbers of the plate stand below. Close other pages with 3-D pictures, then load this one anew.");
      return POLL;
    }
    if (this.lost) this.wait(...LOST);
    else await this.paint(header, texture);
    return POLL;
  }

  /** Which chip temperature is which: the loop's model knows one mean, this picture every place. */
  note({ numbers, compared }) {
    const { mean_c: mean, mean_resistance_k_w: design, loop_resistance_k_w: loop } = compared ?? {};
    const place = byId("plate-note");
    const apart = design > 0 && loop > 0 && Math.max(design / loop, loop / design) > APART;
    const perKw = (value) => fixed(1000 * value, 0);
    setText(place, `Above: mean chip of the loop's model. Here: hottest ${fixed(numbers.hottest_c, 1)} °C, mean ${fixed(mean, 1)} °C.`
      + (apart ? ` A plate resists ${perKw(design)} K/kW by its design file, ${perKw(loop)} K/kW by the layout.` : ""));
    place.title = apart ? "Mean chip over inlet temperature, per heat of one plate. They should agree: correct the layout's resistance or the design file." : "";
    setData(place, "apart", apart ? "yes" : "no");
  }

  showNumbers({ numbers, operating, range, height_factor: height }) {
    byId("plate-dock").hidden = false;
    byId("plate-views").hidden = false;
    setText(byId("plate-state"),
      `One of ${operating.plates} plates: ${litres(operating.flow_m3_s, 2)} L/min, ${fixed(operating.inlet_c, 1)} °C in, ${fixed(operating.heat_w, 0)} W; heights ×${fixed(height, 0)}`);
    setText(byId("plate-numbers"),
      `${(numbers.hottest ?? "hottest").replaceAll("_", " ")} ${fixed(numbers.hottest_c, 1)} °C · coolant +${fixed(numbers.coolant_rise_k, 1)} K`);
    byId("plate-numbers").title = [`${numbers.name}`, `${numbers.model} model, ${numbers.cells} cells, ${numbers.coolant}, solved in ${fixed(numbers.wall_s, 1)} s`,
      `By its design file: ${kilo(numbers.pressure_drop_pa, 1)} kPa drop, ${fixed(1000 * numbers.thermal_resistance_k_w, 1)} K/kW`, ...numbers.warnings].join("\n");
    const ticks = [0, 0.5, 1].map((share) => fixed(range[0] + (range[1] - range[0]) * share, share === 0.5 && (range[1] - range[0]) % 2 ? 1 : 0));
    const legend = byId("legend-plate");
    if (!legend.firstChild) {
      legend.append(h("div", { class: "legend-title" }, "Plate, °C"),
        h("div", { class: "scale" }, h("div", { class: "scale-bar", style: `background: ${cssGradient()}` }),
          h("div", { class: "scale-ticks" }, ...ticks.map(() => h("span", {})))));
    }
    ticks.forEach((tick, i) => setText(legend.querySelector(".scale-ticks").children[i], tick));
  }

  // --- the picture ---------------------------------------------------------------------------------------

  /** Make the stage; false where the browser gives none. */
  start() {
    const place = byId("plate-canvas");
    try {
      this.stage = new Stage(place, () => this.afterDraw(), CAMERA);
    } catch (error) {
      console.warn("plate:", error);
      return false;
    }
    this.stage.onLost = (lost) => this.setLost(lost);
    this.fieldPaint = new FieldPaint([20, 90], 1);
    this.group = new THREE.Group();
    this.stage.scene.add(this.group);
    this.labels = new Labels(place, { wide: 108, narrow: 66 });
    this.hover = new Hover(this.stage, {
      pick: (at) => this.probeTarget(at),
      address: (point) => {
        const [x, y, z] = point.map((value) => value.toFixed(6));
        return `/api/plates/${encodeURIComponent(this.branch)}/probe?x=${x}&y=${y}&z=${z}`;
      },
      content: (hovered, reply) => [
        h("div", { class: "tip-title" }, hovered.name),
        h("div", { class: "tip-value" }, reply.temperature_c == null ? "outside" : `${fixed(reply.temperature_c, 2)} °C`),
        h("div", { class: "tip-place" }, reply.point.map((value, i) => `${"xyz"[i]} ${(1000 * value).toFixed(1)}`).join("  "), " mm"),
      ],
    });
    const views = h("div", { class: "segmented", role: "group", "aria-label": "View of the plate" });
    this.buttons = VIEWS.map(([key, text]) => [key, h("button", { type: "button", onclick: () => this.preset(key) }, text)]);
    views.append(...this.buttons.map(([, button]) => button));
    byId("plate-views").append(views);
    this.stage.controls.addEventListener("start", () => this.buttons.forEach(([, button]) => button.setAttribute("aria-pressed", "false")));
    this.sliders = AXES.map((axis, i) => {
      const range = h("input", { type: "range", id: `cut-${axis}`, min: 0, max: 1, step: 0.01, "aria-label": `Cut ${axis}, millimetres` });
      const value = h("output", { for: `cut-${axis}` });
      range.addEventListener("input", () => this.cut(i, Number(range.value)));
      byId("plate-cuts").append(h("div", { class: "slice" }, h("label", { for: `cut-${axis}` }, axis), range, value));
      return { range, value };
    });
    this.paintBackground();
    return true;
  }

  /** The graphics card let go of the picture, or gives it back: then it is asked for anew. */
  setLost(lost) {
    this.lost = lost;
    this.hover?.leave();
    if (lost && this.data) this.wait(...LOST);
    if (!lost) this.number = -1; // asks anew; the reply clears the message
  }

  paintBackground() {
    if (!this.stage || !this.theme) return;
    this.stage.scene.background = null;
    this.stage.renderer.setClearColor(palettes[this.theme].background);
    this.stage.invalidate();
  }

  paint(header, texture) {
    const before = this.data;
    this.data = header;
    this.scaleOf = [UNITS, UNITS, UNITS * header.height_factor];
    this.fieldPaint.setExtent(this.toScene(header.lo), this.toScene(header.hi));
    this.fieldPaint.setField(header.shape, texture, header.range);
    this.fieldPaint.setShown(header.range);
    const same = before && JSON.stringify([before.lo, before.hi]) === JSON.stringify([header.lo, header.hi]);
    if (!same && JSON.stringify([header.lo, header.hi]) !== this.cutFor) {
      this.cutFor = JSON.stringify([header.lo, header.hi]);
      this.preset(this.view);
    }
    this.build();
    const { numbers } = header;
    this.stage.canvas.setAttribute("aria-label",
      `${CAMERA.label}. Hottest ${numbers.hottest ?? "spot"}, ${fixed(numbers.hottest_c, 1)} degrees`);
    return this.stage.drawn().then(() => {
      this.stats.painted += 1;
      this.stats.number = header.number;
      this.hover.again();
    });
  }

  toScene(point) {
    return point.map((value, axis) => value * this.scaleOf[axis]);
  }

  /** The parts that are left when the cut has taken its corner: boxes all, so a cut makes boxes again. */
  build() {
    const { boxes, lo, hi } = this.data;
    this.empty();
    const palette = palettes[this.theme ?? "dark"];
    this.edgeMaterial ??= new THREE.LineBasicMaterial({ transparent: true, opacity: 0.75 });
    this.shellMaterial ??= new THREE.LineBasicMaterial({ transparent: true, opacity: 0.45 });
    this.edgeMaterial.color.setHex(this.theme === "light" ? 0x16202c : 0x05080c);
    this.shellMaterial.color.setHex(palette.edge);
    const fromLid = this.view === "lid";
    const low = [Math.max(lo[0], this.cuts[0]), Math.max(lo[1], this.cuts[1]), fromLid ? lo[2] : Math.max(lo[2], this.cuts[2])];
    const high = [hi[0], hi[1], fromLid ? Math.min(hi[2], this.cuts[2]) : hi[2]];
    this.targets = [];
    for (const box of boxes) {
      const a = box.lo.map((value, i) => Math.max(value, low[i]));
      const b = box.hi.map((value, i) => Math.min(value, high[i]));
      const whole = this.boxGeometry(box.lo, box.hi);
      if (box.kind !== "chip") this.group.add(this.placed(new THREE.LineSegments(new THREE.EdgesGeometry(whole.geometry), this.shellMaterial), whole.middle));
      whole.geometry.dispose();
      if (a.some((value, i) => value >= b[i] - 1e-9)) continue;
      const { geometry, middle } = this.boxGeometry(a, b);
      const mesh = this.placed(new THREE.Mesh(geometry, this.fieldPaint.material), middle);
      mesh.userData = { name: box.kind === "chip" ? box.name : { base: "Base", channels: "Channels", lid: "Lid" }[box.name] ?? box.name };
      this.group.add(mesh, this.placed(new THREE.LineSegments(new THREE.EdgesGeometry(geometry), this.edgeMaterial), middle));
      this.targets.push(mesh);
    }
    const roomy = this.stage.parent.clientWidth > ROOMY; // else the hottest alone has its name
    const chips = boxes.filter((box) => box.kind === "chip" && (roomy || box.name === this.data.numbers.hottest) && low[2] < box.hi[2] && low[0] < box.hi[0] && low[1] < box.hi[1]);
    this.labels.set(chips.map((box) => ({
      name: box.name, text: box.name.replaceAll("_", " "), kind: "chip",
      at: this.toScene([(Math.max(box.lo[0], low[0]) + box.hi[0]) / 2, (Math.max(box.lo[1], low[1]) + box.hi[1]) / 2, box.lo[2]]),
    })));
    for (const box of chips) {
      const { label, value } = this.labels.get(box.name);
      setText(value, fixed(box.highest_c, 1));
      label.dataset.band = box.limit_c == null ? "unknown" : box.highest_c > box.limit_c ? "over" : box.highest_c > box.limit_c - 5 ? "allowable" : "recommended";
    }
    this.stage.invalidate();
  }

  boxGeometry(lo, hi) {
    const [a, b] = [this.toScene(lo), this.toScene(hi)];
    return {
      geometry: new THREE.BoxGeometry(...a.map((value, i) => b[i] - value)),
      middle: a.map((value, i) => (value + b[i]) / 2),
    };
  }

  placed(object, middle) {
    object.position.set(...middle);
    return object;
  }

  /** A view with the cut that suits it. */
  preset(name) {
    if (!this.data) return;
    const { lo, hi, boxes, numbers } = this.data;
    this.view = name;
    const hottest = boxes.find((box) => box.name === numbers.hottest);
    const middle = hottest ? (hottest.lo[1] + hottest.hi[1]) / 2 : (lo[1] + hi[1]) / 2;
    this.cuts = { chips: [lo[0], lo[1], lo[2]], section: [lo[0], middle, lo[2]], lid: [lo[0], lo[1], hi[2]] }[name];
    const out = { chips: [-0.3, -0.55, -1], section: [-0.3, -1, -0.42], lid: [-0.5, -0.85, 0.75] }[name];
    this.stage.fit(out, this.toScene(lo), this.toScene(hi), 1.08);
    for (const [key, button] of this.buttons) button.setAttribute("aria-pressed", String(key === name));
    this.sliders.forEach(({ range, value }, axis) => {
      range.min = (1000 * lo[axis]).toFixed(2);
      range.max = (1000 * hi[axis]).toFixed(2);
      range.step = axis === 2 ? 0.05 : 0.5;
      range.value = (1000 * this.cuts[axis]).toFixed(2);
      setText(value, Number(range.value).toFixed(1));
    });
    this.build();
  }

  cut(axis, millimetres) {
    if (!this.data) return;
    const { lo, hi } = this.data;
    const least = 0.02 * (hi[axis] - lo[axis]); // something is left
    const place = millimetres / 1000;
    this.cuts[axis] = this.view === "lid" && axis === 2 ? Math.max(place, lo[2] + least) : Math.min(place, hi[axis] - least);
    setText(this.sliders[axis].value, millimetres.toFixed(1));
    this.build();
  }

  afterDraw() {
    this.stats.frames = this.stage.frames;
    if (!this.data) return;
    const below = this.stage.camera.position.z < this.data.lo[2] * this.scaleOf[2];
    this.labels.place(this.stage, this.data.numbers.hottest, () => below);
  }

  probeTarget(at) {
    if (!this.data) return null;
    const hit = this.stage.pick(at.x, at.y, this.targets ?? []);
    if (!hit) return null;
    const inward = hit.face.normal.clone().negate();
    const { lo, hi } = this.data;
    const point = hit.point.toArray().map((value, i) => {
      const metres = value / this.scaleOf[i] + INSIDE * inward.getComponent(i);
      return Math.min(hi[i] - 1e-6, Math.max(lo[i] + 1e-6, metres));
    });
    return { point, ...hit.object.userData };
  }
}
