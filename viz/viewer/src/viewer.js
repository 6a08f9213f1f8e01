// The 3-D component: the room, slices, isosurfaces, labels, hover; and its controls.
import { byId, fixed, h, setText } from "./dom.js";
import { bandOf, cssGradient, rackBand } from "./colormap.js";
import { Hover } from "./hover.js";
import { Isosurface } from "./isosurface.js";
import { Labels } from "./labels.js";
import { Room, palettes } from "./room.js";
import { Slices } from "./slices.js";
import { NEAR_FOV, Stage } from "./stage.js";

const AXES = ["X", "Y", "Z"];
const WAIST = 1.2; // m above the floor, the middle of a rack
const CLICK_SLOP = 5; // px

export function hasWebGl2() {
  if (new URLSearchParams(location.search).get("webgl") === "off") return false;
  return Boolean(document.createElement("canvas").getContext("webgl2"));
}

export class Viewer {
  constructor(config, onSelect) {
    this.config = config;
    this.onSelect = onSelect;
    this.stats = { frames: 0, painted: 0, sequence: null, bytes: 0, drawMs: 0, triangles: 0, fieldHz: 0 };
    this.times = [];
    this.rackSelected = null;
    const place = byId("viewer-canvas");
    this.stage = new Stage(place, () => this.afterDraw());
    this.slices = new Slices(config.shown);
    this.surfaces = config.isosurfaces.map(
      (degrees, i) => new Isosurface(degrees, palettes.dark.bands[i ? "over" : "allowable"]));
    this.stage.scene.add(this.slices.group, ...this.surfaces.map((surface) => surface.mesh));
    this.labels = new Labels(place);
    this.listen();
    this.buildControls();
  }

  // --- what is shown -------------------------------------------------------------------------------------

  setTheme(name) {
    this.theme = name;
    this.stage.scene.background = null;
    this.stage.renderer.setClearColor(palettes[name].background);
    if (this.sceneData) this.buildRoom();
    this.stage.invalidate();
  }

  setScene(data) {
    const first = !this.sceneData;
    this.sceneData = data;
    this.slices.setRoom(data.lo, data.hi);
    this.buildRoom();
    this.fitSliders(first);
    if (first) this.preset("iso");
  }

  buildRoom() {
    if (this.room) {
      this.stage.scene.remove(this.room.group);
      this.room.dispose();
    }
    this.room = new Room(this.sceneData, this.theme, this.stage.software ? 1 : 4);
    this.stage.scene.add(this.room.group);
    this.room.select(this.rackSelected);
    this.labels.set(this.room.anchors);
    this.labels.select(this.rackSelected);
    if (this.summary) this.setSummary(this.summary);
  }

  setField(header, texture, bytes) {
    const { lo, hi } = this.sceneData;
    this.field = { shape: header.shape, data: texture, range: header.range };
    this.slices.setField(header.shape, texture, header.range);
    for (const surface of this.surfaces) surface.update(header.shape, texture, header.range, lo, hi);
    this.stats.bytes = bytes;
    this.stats.shape = header.shape;
    this.stats.sequence = header.sequence;
    return this.stage.drawn().then(() => {
      this.stats.painted += 1;
      this.times.push(performance.now());
      if (this.times.length > 12) this.times.shift();
      const span = this.times.at(-1) - this.times[0];
      this.stats.fieldHz = span > 0 ? (1000 * (this.times.length - 1)) / span : 0;
      this.hover.again();
    });
  }

  setSummary(summary) {
    this.summary = summary;
    if (!this.room) return;
    const { limits } = this.config;
    const bands = {};
    for (const [name, rack] of Object.entries(summary.racks ?? {})) {
      bands[name] = ["bottom", "middle", "top"].map((zone) => {
        const sensor = summary.sensors?.[`${name}.inlet_temperature.${zone}`];
        return bandOf(sensor?.predicted ?? rack.inlet_max_c, rack.limits_c ?? limits);
      });
      const label = this.labels.get(name);
      if (!label) continue;
      setText(label.value, fixed(rack.inlet_max_c, 1));
      label.label.dataset.band = rackBand(rack, limits);
    }
    for (const [name, cooler] of Object.entries(summary.coolers ?? {})) {
      const label = this.labels.get(name);
      if (label) setText(label.value, fixed(cooler.supply_c, 1));
    }
    this.room.paintRacks(bands);
    this.stage.invalidate();
  }

  select(name) {
    this.rackSelected = name;
    this.room?.select(name);
    this.labels.select(name);
    this.stage.invalidate();
  }

  preset(name) {
    const { lo, hi } = this.sceneData;
    const size = lo.map((value, axis) => hi[axis] - value);
    if (name === "top") {
      this.stage.fit(size[1] > size[0] ? [-0.001, 0, 1] : [0, -0.001, 1], lo, hi);
      this.setSlices({ 2: this.room.floorHeight + WAIST });
    } else if (name === "aisle" && this.room.aisleView()) {
      const { position, target, along, end } = this.room.aisleView();
      this.stage.look(position, target, NEAR_FOV);
      this.setSlices({ [along]: end });
    } else {
      this.stage.fit([-0.55, -0.86, 0.62], lo, hi);
      if (this.presets[name].getAttribute("aria-pressed")) this.setSlices({ 2: this.room.floorHeight + WAIST });
    }
    for (const [key, button] of Object.entries(this.presets)) button.setAttribute("aria-pressed", key === name);
  }

  // --- controls ------------------------------------------------------------------------------------------

  buildControls() {
    this.presets = {};
    const views = h("div", { class: "segmented", role: "group", "aria-label": "View" });
    for (const [key, text] of [["iso", "Overview"], ["top", "Top"], ["aisle", "Cold aisle"]]) {
      this.presets[key] = h("button", { type: "button", onclick: () => this.preset(key) }, text);
      views.append(this.presets[key]);
    }
    byId("viewer-views").append(views);
    this.stage.controls.addEventListener("start", () => {
      for (const button of Object.values(this.presets)) button.setAttribute("aria-pressed", "false");
    });

    this.sliders = AXES.map((axis, i) => {
      const toggle = h("input", { type: "checkbox", id: `slice-${axis}-on` });
      const range = h("input", {
        type: "range", id: `slice-${axis}`, min: 0, max: 1, step: 0.01, "aria-label": `Slice ${axis} position, metres`,
      });
      const value = h("output", { for: `slice-${axis}` });
      toggle.addEventListener("change", () => this.setSlice(i, toggle.checked, Number(range.value)));
      range.addEventListener("input", () => {
        toggle.checked = true;
        this.setSlice(i, true, Number(range.value));
      });
      byId("viewer-slices").append(
        h("div", { class: "slice" }, h("label", { class: "chip" }, toggle, `Slice ${axis}`), range, value));
      return { toggle, range, value };
    });
    this.surfaces.forEach((surface, i) => {
      const toggle = h("input", { type: "checkbox", id: `iso-${surface.degrees}` });
      toggle.addEventListener("change", () => this.setSurface(surface, toggle.checked));
      byId("viewer-surfaces").append(
        h("label", { class: `chip chip-${i ? "over" : "allowable"}` }, toggle, `${surface.degrees} °C surface`));
    });
    const [low, high] = this.config.shown;
    const ticks = [0, 1, 2, 3, 4, 5, 6].map((i) => h("span", {}, `${low + ((high - low) * i) / 6}`));
    byId("legend-air").append(
      h("div", { class: "legend-title" }, "Air, °C"),
      h("div", { class: "scale" },
        h("div", { class: "scale-bar", style: `background: ${cssGradient()}` }), h("div", { class: "scale-ticks" }, ...ticks)));
  }

  fitSliders(first) {
    const { lo, hi } = this.sceneData;
    this.sliders.forEach(({ toggle, range, value }, axis) => {
      range.min = lo[axis].toFixed(2);
      range.max = hi[axis].toFixed(2);
      range.step = 0.05;
      if (first) {
        const start = axis === 2 ? this.room.floorHeight + WAIST : lo[axis] + (hi[axis] - lo[axis]) * 0.5;
        range.value = start.toFixed(2);
        toggle.checked = axis === 2;
      }
      setText(value, `${Number(range.value).toFixed(2)} m`);
      this.setSlice(axis, toggle.checked, Number(range.value));
    });
  }

  /** Show these slices (axis -> place) and no others; a view comes with the slices that suit it. */
  setSlices(places) {
    this.sliders.forEach(({ toggle, range }, axis) => {
      toggle.checked = axis in places;
      if (axis in places) range.value = places[axis].toFixed(2);
      this.setSlice(axis, toggle.checked, Number(range.value));
    });
  }

  setSlice(axis, visible, place) {
    setText(this.sliders[axis].value, `${place.toFixed(2)} m`);
    this.slices.move(axis, place);
    this.slices.show(axis, visible);
    this.stage.invalidate();
  }

  setSurface(surface, visible) {
    surface.mesh.visible = visible;
    if (this.field && visible) {
      surface.update(this.field.shape, this.field.data, this.field.range, this.sceneData.lo, this.sceneData.hi);
    }
    this.stats.triangles = surface.triangles;
    this.stage.invalidate();
  }

  // --- labels and hover ----------------------------------------------------------------------------------

  afterDraw() {
    this.stats.frames = this.stage.frames;
    this.stats.drawMs = this.stage.drawTime;
    this.labels.place(this.stage, this.rackSelected);
  }

  listen() {
    this.hover = new Hover(this.stage, {
      pick: (at) => this.probeTarget(at),
      address: (point) => {
        const [x, y, z] = point.map((value) => value.toFixed(3));
        return `/api/probe?x=${x}&y=${y}&z=${z}`;
      },
      content: (hovered, reply) => this.tipContent(hovered, reply),
    });
    const { canvas } = this.stage;
    canvas.addEventListener("pointerdown", (event) => {
      this.down = this.hover.place(event);
    });
    canvas.addEventListener("pointerup", (event) => {
      const up = this.hover.place(event);
      if (!this.down || Math.hypot(up.x - this.down.x, up.y - this.down.y) > CLICK_SLOP) return;
      const hit = this.pickTarget(up, true);
      if (hit?.object.userData.kind === "rack") this.onSelect(hit.object.userData.name);
    });
  }

  pickTarget(at, throughSlices = false) {
    if (!this.room) return null;
    const targets = throughSlices ? this.room.targets : [...this.slices.planes, ...this.room.targets];
    return this.stage.pick(at.x, at.y, targets);
  }

  /** What is under a pixel, and the place in the air before it. */
  probeTarget(at) {
    const hit = this.pickTarget(at);
    if (!hit) return null;
    const point = hit.point.clone();
    if (hit.object.userData.kind !== "slice") {
      const normal = hit.face.normal.clone().transformDirection(hit.object.matrixWorld);
      point.addScaledVector(normal, normal.dot(this.stage.camera.position.clone().sub(hit.point)) > 0 ? 0.05 : -0.05);
    }
    return { point: point.toArray(), cursor: hit.object.userData.kind === "rack" ? "pointer" : "", ...hit.object.userData };
  }

  tipContent(hovered, reply) {
    const rack = hovered.kind === "rack" ? this.summary?.racks?.[hovered.name] : null;
    const inside = reply.temperature_c == null;
    const title = { rack: `Rack ${hovered.name}`, cooler: `Cooler ${hovered.name}`, tile: `Tile ${hovered.name}`,
      floor: "Floor", slice: `Slice ${AXES[hovered.axis]}`, obstacle: hovered.name }[hovered.kind] ?? "Air";
    return [
      h("div", { class: "tip-title" }, title, hovered.zone ? ` · ${hovered.zone}` : ""),
      h("div", { class: "tip-value" }, inside ? "inside a solid" : `${fixed(reply.temperature_c, 2)} °C`),
      h("div", { class: "tip-place" }, reply.point.map((value, i) => `${"xyz"[i]} ${value.toFixed(2)}`).join("  "), " m"),
      rack ? h("div", { class: "tip-place" }, `inlet max ${fixed(rack.inlet_max_c, 1)} °C · click for detail`) : null,
    ];
  }
}
