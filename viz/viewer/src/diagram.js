// A coolant loop as a diagram: the CDU on the left, the headers with their branches on the right.
//
// return  <---------------------------------------------  R
//   tank    pumps -> filter -> exchanger -> supply   S    R
//                                                    S -- branch 1 -- R
//                                                    S -- branch 2 -- R
import { byId, fixed, h, kilo, litres, percent, s, setAttribute, setData, setText } from "./dom.js";
import { Drawing } from "./pipes.js";

const CDU = 320; // width, in the drawing's own pixels
const RETURN_Y = 22;
const SUPPLY_Y = 58;
const TRUNK = 76; // height above the ladder
const PUMP_PITCH = 50;
const RUNG = [46, 60]; // height of a branch, least and most
const STANDS = 0.01; // speed below which a pump does not turn
const SLOW = 0.85; // of the nominal speed: a pump below it no longer does its part
const LOW_FLOW = 0.6; // of the design flow at that speed
const FALLS = 0.05; // of the speed, lost within the window: more than a sensor's noise
const WINDOW = 8; // s
const NEAR = 5; // K below the limit
const SILENT = 15; // s since a sensor's last reading
const LEAKS = 1e-4; // kg/s
const SCROLLBAR = 10; // px
const LARGEST = 1.5; // zoom on a large screen

const densities = new Map(); // of the coolant by CDU, as last known [kg/m3]

export const degrees = (value, digits = 1) => `${fixed(value, digits)} °C`;

/** "sensor 30.1" where a sensor measures the point, else nothing; a sensor that fell silent is said to have. */
export function sensed(sensors, point, write) {
  const { measured: value, age_s: old } = sensors?.[point] ?? {};
  if (value == null) return "";
  return old > SILENT ? "sensor silent" : `sensor ${write(value)}`;
}

/** The same for a flow: its point is in kg/s, it is shown in L/min. */
export function sensedFlow(sensors, point, loop) {
  const whole = sensors?.[`${loop.cdu}.coolant_flow`]?.predicted;
  if (Math.abs(loop.flow_m3_s) > 1e-5 && whole) densities.set(loop.cdu, whole / loop.flow_m3_s);
  const density = densities.get(loop.cdu);
  return sensed(sensors, point, (value) => (density ? litres(value / density) : `${fixed(value, 3)} kg/s`));
}

/**
 * running, slowing, slow, low flow, coasting down, standby or tripped. A pump is slow against its nominal speed where the
 * twin gives it, else against the fastest of its loop; the same for its flow.
 */
export function pumpState(pump, loop = {}) {
  if (!(pump.speed > STANDS)) return pump.standby ? "standby" : "tripped";
  if (!pump.on) return "coasting down";
  if (pump.falls) return "slowing";
  const turning = Object.values(loop.pumps ?? {}).filter((other) => other.on && other.speed > STANDS);
  const share = pump.speed / (pump.nominal_speed ?? Math.max(pump.speed, ...turning.map((other) => other.speed)));
  if (share < SLOW) return "slow";
  const flow = pump.design_flow_m3_s ?? Math.max(0, ...turning.map((other) => other.flow_m3_s ?? 0));
  return pump.flow_m3_s < LOW_FLOW * share * flow ? "low flow" : "running";
}

/** Notes which pumps lose speed: `falls` of each, from what was seen of them before and what their sensors say. */
export class PumpWatch {
  constructor() {
    this.seen = new Map();
  }

  mark(loop, sensors, time) {
    for (const [name, pump] of Object.entries(loop.pumps ?? {})) {
      const past = (this.seen.get(name) ?? []).filter((look) => look.time < time && time - look.time <= WINDOW);
      const fastest = Math.max(0, ...past.map((look) => look.speed));
      const before = past.at(-1)?.speed ?? 0;
      past.push({ time, speed: pump.speed });
      this.seen.set(name, past);
      const { measured, age_s: old } = sensors?.[`${name}.pump_speed`] ?? {};
      const behind = measured != null && !(old > SILENT) && measured < SLOW * pump.speed;
      pump.falls = pump.speed > STANDS && (behind || (pump.speed <= before && pump.speed < (1 - FALLS) * fastest));
    }
  }
}

/** Whether a pump does what it is there for. */
export const sound = (state) => state === "running" || state === "standby";

/** Tone of chips against their limit. */
export function chipTone({ chip_c: chip, limit_c: limit }) {
  if (!Number.isFinite(chip) || !Number.isFinite(limit)) return "unknown";
  if (chip > limit) return "over";
  return chip > limit - NEAR ? "allowable" : "recommended";
}

export const leaks = (branch) => branch.leak_kg_s > LEAKS;

const PUMP_TONES = { running: "recommended", standby: "unknown", slowing: "allowable", slow: "allowable", "low flow": "allowable" };
export const pumpTone = (state) => PUMP_TONES[state] ?? "over";
/** A standing pump has the others' pressure over its check valve; that is no rise of its own. */
const rise = (pump) => (pump.speed > STANDS ? ` · +${kilo(pump.pressure_rise_pa, 0)} kPa` : "");
const valveTone = (opening) => (opening == null || opening > 0.005 ? "open" : "shut");

export class LoopDiagram {
  constructor(scale, onSelect) {
    this.scale = scale;
    this.onSelect = onSelect;
    this.rungs = new Map();
    new ResizeObserver(() => this.fit()).observe(byId("loop-diagram"));
    byId("loop-ladder").addEventListener("keydown", (event) => this.walk(event));
  }

  /** Show a loop's numbers; the picture is made anew only for another loop, other parts or another size. */
  show(name, loop, sensors) {
    this.state = { loop, sensors };
    const parts = JSON.stringify([name, Object.keys(loop.pumps ?? {}), Object.keys(loop.branches ?? {}), Object.keys(loop.coils ?? {})]);
    if (parts !== this.parts) {
      this.parts = parts;
      this.name = name;
      this.fit(true);
    }
    for (const drawing of this.drawings ?? []) drawing.update(this.state);
  }

  /** Lay the drawing out for the room there is. */
  fit(anew = false) {
    const place = byId("loop-diagram");
    if (!this.state || !place.clientWidth) return;
    const pumps = Object.keys(this.state.loop.pumps ?? {}).length;
    const height = 372 + PUMP_PITCH * pumps;
    const { branches, coils } = this.state.loop;
    const count = Math.max(1, Object.keys({ ...branches, ...coils }).length);
    const tallest = Math.max(height, TRUNK + RUNG[0] * count);
    const zoom = Math.min(LARGEST, Math.max(1, Math.min(place.clientHeight / tallest, place.clientWidth / 800)));
    const width = Math.floor((place.clientWidth - SCROLLBAR) / zoom - CDU - 2);
    const rung = Math.floor(Math.min(RUNG[1], Math.max(RUNG[0], (place.clientHeight / zoom - TRUNK - 8) / count)));
    if (!anew && width === this.width && zoom === this.zoom && rung === this.rung) return;
    Object.assign(this, { width, zoom, rung });
    this.rungs.clear();
    this.drawings = [this.drawCdu(height), this.drawTrunk(), this.drawLadder()];
    for (const drawing of this.drawings) drawing.update(this.state);
    this.select(this.selected);
  }

  // --- CDU -----------------------------------------------------------------------------------------------

  drawCdu(height) {
    const { cdu } = this.state.loop;
    const drawing = new Drawing(byId("loop-cdu"), this.scale, `CDU ${cdu}`);
    drawing.size(CDU, height, this.zoom);
    const [left, outlet, riser] = [34, CDU - 46, CDU - 16];
    const back = ({ loop }) => loop.return_c;
    const supply = ({ loop }) => loop.supply_c;
    const flow = ({ loop }) => loop.flow_m3_s;
    const names = Object.keys(this.state.loop.pumps ?? {});
    const first = 196;
    const filterY = first + PUMP_PITCH * names.length;
    const exchangerY = filterY + 62;

    drawing.pipe([[CDU, RETURN_Y], [58, RETURN_Y], [58, 56]], back, flow);
    drawing.arrow(160, RETURN_Y, 180, back, flow);
    drawing.pipe([[left, 150], [left, first + PUMP_PITCH * (names.length - 1)]], back, flow);
    this.drawTank(drawing);
    names.forEach((name, i) => this.drawPump(drawing, name, left, outlet, first + PUMP_PITCH * i));
    drawing.pipe([[outlet, first], [outlet, filterY], [left, filterY], [left, exchangerY], [84, exchangerY]], back, flow);
    this.drawFilter(drawing, filterY);
    drawing.pipe([[196, exchangerY], [riser, exchangerY], [riser, SUPPLY_Y], [CDU, SUPPLY_Y]], supply, flow);
    drawing.arrow(riser, 250, -90, supply, flow);
    this.drawExchanger(drawing, exchangerY);
    return drawing;
  }

  drawTank(drawing) {
    const { cdu } = this.state.loop;
    const [x, y, width, height] = [16, 52, 84, 98];
    drawing.add(s("rect", { x, y, width, height, rx: 7, class: "d-tank" }));
    drawing.add(s("rect", { x: x + 2, width: width - 4, rx: 5, class: "d-level" }), (element, { loop }) => {
      const level = Math.min(1, Math.max(0, loop.level ?? 0));
      setAttribute(element, "y", (y + 2 + (1 - level) * (height - 4)).toFixed(1));
      setAttribute(element, "height", (level * (height - 4)).toFixed(1));
      setData(element, "tone", loop.level < loop.alarm_level ? "over" : "normal");
    });
    drawing.add(s("path", { class: "d-alarm" }), (element, { loop }) => {
      const at = (y + 2 + (1 - (loop.alarm_level ?? 0)) * (height - 4)).toFixed(1);
      setAttribute(element, "d", `M${x - 5} ${at} H${x + width + 5}`);
    });
    drawing.text(112, 72, "label", "Reservoir level");
    drawing.line(112, 92, [["value", ({ loop }) => `${fixed(100 * (loop.level ?? NaN), 1)} %`],
      ["alarm-text", ({ loop }) => (loop.level < loop.alarm_level ? "LOW" : "")]]);
    drawing.text(112, 109, "label", ({ loop }) => `alarm below ${percent(loop.alarm_level)} %`);
    drawing.text(112, 125, "sensor", ({ sensors }) => sensed(sensors, `${cdu}.level`, (v) => `${fixed(100 * v, 1)} %`));
  }

  drawPump(drawing, name, from, to, y) {
    const pump = ({ loop }) => loop.pumps?.[name] ?? {};
    const warmth = ({ loop }) => loop.return_c;
    drawing.pipe([[from, y], [to, y]], warmth, (state) => pump(state).flow_m3_s, 6);
    const wheel = s("g", { class: "d-pump", transform: `translate(66 ${y})` },
      s("circle", { r: 14 }), s("path", { d: "M-5 -9 L12 0 L-5 9 Z" }));
    drawing.add(wheel, (element, state) => {
      setData(element, "tone", pumpTone(pumpState(pump(state), state.loop)));
      setData(element, "turns", pump(state).speed > STANDS ? "yes" : "no");
    });
    const state = drawing.line(88, y - 9, [["name", name], ["state", (now) => pumpState(pump(now), now.loop)],
      ["label", (now) => (pump(now).speed > STANDS ? `${percent(pump(now).speed)} %` : "")],
      ["sensor", (now) => sensed(now.sensors, `${name}.pump_speed`, (v) => `${percent(v)} %`)]]);
    drawing.updates.push((now) => setData(state, "tone", pumpTone(pumpState(pump(now), now.loop))));
    drawing.text(88, y + 17, "number", (now) =>
      `${litres(pump(now).flow_m3_s)} L/min${rise(pump(now))} · ${fixed(pump(now).power_w, 0)} W`);
  }

  drawFilter(drawing, y) {
    drawing.add(s("g", { class: "d-part", transform: `translate(224 ${y})` },
      s("rect", { x: -13, y: -14, width: 26, height: 28, rx: 4 }), s("path", { d: "M0 -14 V14", class: "d-mesh" })),
    (element, { loop }) => setData(element, "tone", (loop.filter?.fouling ?? 1) > 2 ? "allowable" : "normal"));
    drawing.arrow(120, y, 180, ({ loop }) => loop.return_c, ({ loop }) => loop.flow_m3_s);
    drawing.text(48, y - 9, "name", "Filter");
    drawing.text(48, y + 17, "number", ({ loop }) => {
      const fouling = loop.filter?.fouling;
      return `drop ${kilo(loop.filter?.pressure_drop_pa, 1)} kPa · ${fouling > 1.05 ? `fouled ×${fixed(fouling, 1)}` : "clean"}`;
    });
  }

  drawExchanger(drawing, y) {
    const low = y + 38;
    const flow = ({ loop }) => (loop.facility?.flow_kg_s ?? NaN) / 1000;
    const give = ({ loop }) => loop.facility?.supply_c;
    const take = ({ loop }) => loop.facility?.return_c;
    drawing.pipe([[CDU, low], [196, low]], give, flow, 6);
    drawing.pipe([[84, low], [0, low]], take, flow, 6);
    drawing.arrow(208, low, 180, give, flow);
    drawing.arrow(20, low, 180, take, flow);
    drawing.add(s("g", { class: "d-part" }, s("rect", { x: 84, y: y - 17, width: 112, height: 72, rx: 6 }),
      s("path", { d: `M84 ${y + 19} H196`, class: "d-mesh" })));
    drawing.line(140, y + 3, [["label", "Exchanger"]], "middle");
    drawing.line(140, y + 42, [["value", ({ loop }) => `${kilo(loop.heat_w, 1)} kW`]], "middle");
    drawing.valve(244, low, ({ loop }) => valveTone(loop.valve), ({ loop }) => `Facility control valve ${percent(loop.valve)} % open`);
    drawing.line(CDU - 4, low + 24, [["label", "valve"], ["number", ({ loop }) => `${percent(loop.valve)} %`],
      ["label", "in"], ["number", (state) => degrees(give(state))]], "end");
    drawing.line(4, low + 24, [["label", "out"], ["number", (state) => degrees(take(state))]]);
    drawing.line(4, low + 42, [["name", "Facility water"], ["number", ({ loop }) => `${fixed(loop.facility?.flow_kg_s, 2)} kg/s`]]);
  }

  // --- headers -------------------------------------------------------------------------------------------

  drawTrunk() {
    const drawing = new Drawing(byId("loop-trunk"), this.scale, "Supply and return headers");
    const { width } = this;
    drawing.size(width, TRUNK, this.zoom);
    const { cdu } = this.state.loop;
    const flow = ({ loop }) => loop.flow_m3_s;
    const [supply, back] = [({ loop }) => loop.supply_c, ({ loop }) => loop.return_c];
    drawing.pipe([[0, SUPPLY_Y], [24, SUPPLY_Y], [24, TRUNK]], supply, flow);
    drawing.pipe([[width - 24, TRUNK], [width - 24, RETURN_Y], [0, RETURN_Y]], back, flow);
    drawing.arrow(width / 2, RETURN_Y, 180, back, flow);
    const c = (value) => fixed(value, 1);
    const k = (value) => `${kilo(value, 0)} kPa`;
    const both = (point, write) => ({ sensors }) => sensed(sensors, `${cdu}.${point}`, write);
    drawing.line(42, 50, [["name", "Supply"], ["value", (state) => degrees(supply(state))], ["sensor", both("supply_temperature", c)]]);
    drawing.line(42, 67, [["number", ({ loop }) => k(loop.supply_pressure_pa)], ["sensor", both("supply_pressure", k)]]);
    drawing.line(width - 42, 50, [["name", "Return"], ["value", (state) => degrees(back(state))], ["sensor", both("return_temperature", c)]], "end");
    drawing.line(width - 42, 67, [["number", ({ loop }) => k(loop.return_pressure_pa)], ["sensor", both("return_pressure", k)]], "end");
    return drawing;
  }

  // --- branches ------------------------------------------------------------------------------------------

  drawLadder() {
    const { loop } = this.state;
    const drawing = new Drawing(byId("loop-ladder"), this.scale, "Branches");
    const { width } = this;
    const names = [...Object.keys(loop.branches ?? {}), ...Object.keys(loop.coils ?? {})];
    drawing.size(width, this.rung * names.length + 6, this.zoom);
    drawing.svg.setAttribute("role", "listbox");
    drawing.svg.setAttribute("aria-label", "Branches from the CDU outwards");
    const flow = (state) => state.loop.flow_m3_s;
    const end = this.rung * (names.length - 0.5);
    drawing.pipe([[24, 0], [24, end]], (state) => state.loop.supply_c, flow);
    drawing.pipe([[width - 24, end], [width - 24, 0]], (state) => state.loop.return_c, flow);
    drawing.arrow(24, 4, 90, (state) => state.loop.supply_c, flow);
    drawing.arrow(width - 24, 4, -90, (state) => state.loop.return_c, flow);
    names.forEach((name, i) => this.drawRung(drawing, name, this.rung * (i + 0.5)));
    return drawing;
  }

  drawRung(drawing, name, y) {
    const { width } = this;
    const branch = ({ loop }) => loop.branches?.[name] ?? loop.coils?.[name] ?? {};
    const isCoil = !(name in (this.state.loop.branches ?? {}));
    const rung = s("g", { class: "rung", role: "option", tabindex: -1, "aria-selected": "false" });
    rung.dataset.branch = name;
    rung.addEventListener("click", () => this.onSelect(name));
    drawing.add(rung, (element, state) => {
      const tone = isCoil ? "unknown" : chipTone(branch(state));
      setData(element, "tone", tone);
      setAttribute(element, "aria-label", this.say(name, branch(state)));
    });
    rung.append(s("rect", { x: 33, y: y - this.rung / 2 + 1, width: width - 66, height: this.rung - 2, rx: 8, class: "d-ground" }));
    const wide = width > 620;
    const plate = wide ? Math.round(0.42 * width) : 216;
    const across = wide ? 140 : 114;
    const flow = (state) => branch(state).flow_m3_s;
    const [cold, warm] = [(state) => branch(state).supply_c, (state) => branch(state).return_c];
    drawing.pipe([[28.5, y], [plate, y]], cold, flow, 5, rung);
    drawing.pipe([[plate + across, y], [width - 28.5, y]], warm, flow, 5, rung);
    drawing.arrow(width - 40, y, 0, warm, flow, rung);
    drawing.valve(54, y, (state) => valveTone(branch(state).valve), (state) => `Balancing valve of ${name}: ${percent(branch(state).valve)} % of its setting`, rung);
    const place = (state) => { // the racklet makes room for what is out of the ordinary
      const { rack, racklet, valve } = branch(state);
      return [rack, !wide && (leaks(branch(state)) || valve < 0.995) ? null : racklet].filter(Boolean).join(" · ");
    };
    drawing.line(70, y - 7, [["name", name], ["label", place],
      ["alarm-text", (state) => (leaks(branch(state)) ? `LEAK ${fixed(1000 * branch(state).leak_kg_s, 1)} g/s` : "")],
      ["label", (state) => (branch(state).valve < 0.995 ? `valve ${percent(branch(state).valve)} %` : "")]], "start", rung);
    drawing.line(70, y + 16, [["number", (state) => `${litres(flow(state))} L/min`],
      ["sensor", ({ sensors, loop }) => sensedFlow(sensors, `${name}.coolant_flow`, loop)]], "start", rung);
    this.drawPlate(drawing, rung, name, branch, isCoil, plate, across, y);
    const after = plate + across + 9;
    drawing.line(after, y - 7, [["number", (state) => degrees(warm(state))],
      ["sensor", ({ sensors }) => (wide ? sensed(sensors, `${name}.return_temperature`, (v) => fixed(v, 1)) : "")]], "start", rung);
    drawing.line(after, y + 16, [["number", (state) => `${kilo(branch(state).liquid_heat_w, 1)} kW`],
      ["label", (state) => (wide ? `plate drop ${kilo(branch(state).pressure_drop_pa, 1)} kPa` : "")]], "start", rung);
    this.rungs.set(name, rung);
  }

  drawPlate(drawing, rung, name, branch, isCoil, x, across, y) {
    rung.append(s("rect", { x, y: y - 18, width: across, height: 36, rx: 5, class: "d-plate" }));
    if (isCoil) {
      drawing.line(x + across / 2, y + 4, [["label", "air coil"]], "middle", rung);
      return;
    }
    drawing.line(x + 8, y - 3, [["chip", (state) => degrees(branch(state).chip_c)]], "start", rung);
    drawing.line(x + across - 8, y - 3, [["label", (state) => `/ ${fixed(branch(state).limit_c, 0)} °C`]], "end", rung);
    const [barX, barY, length] = [x + 8, y + 5, across - 16];
    rung.append(s("rect", { x: barX, y: barY, width: length, height: 6, rx: 3, class: "d-bar" }));
    const bar = s("rect", { x: barX, y: barY, height: 6, rx: 3, class: "d-bar-fill" });
    const mark = s("path", { d: `M${barX + length / 1.15} ${barY - 2} v10`, class: "d-limit" });
    rung.append(bar, mark);
    drawing.updates.push((state) => { // from the coolant's temperature (0) to the limit (the mark)
      const { chip_c: chip, supply_c: supply, limit_c: limit } = branch(state);
      const share = (chip - supply) / Math.max(limit - supply, 1) / 1.15;
      setAttribute(bar, "width", (length * Math.min(1, Math.max(0.02, Number.isFinite(share) ? share : 0))).toFixed(1));
    });
  }

  /** A branch in a sentence, for those who do not see it. */
  say(name, branch) {
    const chips = branch.chip_c == null ? "" : `, chips ${fixed(branch.chip_c, 1)} of at most ${fixed(branch.limit_c, 0)} degrees`;
    return `${name}, ${[branch.rack && `rack ${branch.rack}`, branch.racklet && `racklet ${branch.racklet}`].filter(Boolean).join(", ")}, ` +
      `flow ${litres(branch.flow_m3_s)} litres a minute${chips}, return ${fixed(branch.return_c, 1)} degrees, ` +
      `heat ${kilo(branch.liquid_heat_w, 1)} kilowatts, valve ${percent(branch.valve)} percent${leaks(branch) ? ", leaks" : ""}`;
  }

  select(name) {
    this.selected = name;
    let any = false;
    for (const [branch, rung] of this.rungs) {
      setAttribute(rung, "aria-selected", String(branch === name));
      setAttribute(rung, "tabindex", branch === name ? 0 : -1);
      any ||= branch === name;
    }
    const first = this.rungs.values().next().value;
    if (!any && first) setAttribute(first, "tabindex", 0);
  }

  /** Arrow keys go along the header; Enter and space select too. */
  walk(event) {
    const names = [...this.rungs.keys()];
    const at = names.indexOf(document.activeElement?.dataset?.branch);
    if (at < 0) return;
    const steps = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: names.length - 1, Enter: at, " ": at };
    if (!(event.key in steps)) return;
    event.preventDefault();
    const next = names[Math.min(names.length - 1, Math.max(0, steps[event.key]))];
    this.onSelect(next);
    this.rungs.get(next).focus();
    this.rungs.get(next).scrollIntoView({ block: "nearest" });
  }
}

/** The branches of a loop as a table, to be read aloud or copied. */
export class BranchTable {
  constructor(columns) {
    this.body = h("tbody");
    this.caption = h("caption");
    const head = columns.map(([name, unit]) => h("th", { scope: "col" }, name, unit ? h("span", { class: "unit" }, ` ${unit}`) : null));
    byId("loop-table").append(h("table", {}, this.caption, h("thead", {}, h("tr", {}, ...head)), this.body));
  }

  show(name, loop) {
    const rows = [...Object.entries(loop.branches ?? {}), ...Object.entries(loop.coils ?? {})];
    setText(this.caption, `Loop ${name}: branches from the CDU outwards`);
    while (this.body.children.length > rows.length) this.body.lastChild.remove();
    rows.forEach(([branch, b], i) => {
      const row = this.body.children[i] ?? this.body.appendChild(h("tr", {}, h("th", { scope: "row" })));
      const cells = [branch, b.rack ?? "–", litres(b.flow_m3_s), fixed(b.supply_c, 1), fixed(b.return_c, 1), kilo(b.liquid_heat_w, 1),
        fixed(b.chip_c, 1), fixed(b.limit_c, 0), kilo(b.pressure_drop_pa, 1), percent(b.valve), leaks(b) ? fixed(1000 * b.leak_kg_s, 1) : "0.0"];
      cells.forEach((text, j) => setText(row.children[j] ?? row.appendChild(h("td", {})), text));
      setData(row, "tone", b.chip_c == null ? "unknown" : chipTone(b));
    });
  }
}
