// The coolant page: figures of a loop, its diagram and table, the selected branch, its cold plate.
import { byId, fixed, h, kilo, litres, percent, setData, setText } from "./dom.js";
import { cssGradient } from "./colormap.js";
import { BranchTable, LoopDiagram, PumpWatch, chipTone, degrees, leaks, pumpState, pumpTone, sensed, sensedFlow, sound } from "./diagram.js";
import { PlateView } from "./plate.js";

const TONE_TEXT = { recommended: "Below limit", allowable: "Near limit", over: "Over limit", unknown: "Unknown" };
const FRESH = new Set(["live", "degraded"]);
const FLUIDS = { water: "Water", pg25: "PG25", hfe7200: "HFE-7200", novec649: "Novec 649", pao2: "PAO 2", mineral_oil: "Mineral oil" };

const tabs = (entries, label, onPick) => {
  const group = h("div", { class: "segmented", role: "group", "aria-label": label });
  const buttons = new Map(entries.map(([key, text]) => [key, h("button", { type: "button", onclick: () => onPick(key) }, text)]));
  group.append(...buttons.values());
  return { group, mark: (key) => buttons.forEach((button, name) => button.setAttribute("aria-pressed", String(name === key))) };
};

export class CoolantPage {
  constructor(config, webgl, onSelect) {
    this.onSelect = onSelect;
    this.visible = false;
    this.status = "starting";
    this.facts = new Map();
    this.pumps = new PumpWatch();
    this.diagram = new LoopDiagram(config.coolant, (name) => this.select(name));
    this.table = new BranchTable(config.columns);
    this.plate = new PlateView(webgl);
    this.views = tabs([["diagram", "Diagram"], ["table", "Table"]], "Show branches as", (key) => this.setView(key));
    byId("loop-views").append(this.views.group);
    this.setView("diagram");
    const [low, high] = config.coolant;
    const ticks = [0, 1, 2, 3, 4, 5].map((i) => h("span", {}, `${["≤ ", "", "", "", "", "≥ "][i]}${low + ((high - low) * i) / 5}`));
    byId("legend-coolant").append(
      h("div", { class: "legend-title" }, "Coolant, °C"),
      h("div", { class: "scale" },
        h("div", { class: "scale-bar", style: `background: ${cssGradient()}` }), h("div", { class: "scale-ticks" }, ...ticks)));
    this.refresh();
  }

  setTheme(name) {
    this.plate.setTheme(name);
  }

  setView(key) {
    setData(byId("loop-panel"), "view", key);
    this.views.mark(key);
  }

  setVisible(visible) {
    this.visible = visible;
    this.plate.setVisible(visible);
    if (visible) this.refresh();
  }

  /** How far the picture can be trusted: live, degraded, stale, offline, starting. */
  setStatus(status) {
    if (status === this.status) return;
    this.status = status;
    if (this.visible) this.refresh();
  }

  take(summary) {
    this.summary = summary;
    for (const loop of Object.values(summary.loops ?? {})) this.pumps.mark(loop, summary.sensors, summary.time);
    if (this.visible) this.refresh();
  }

  refresh() {
    const loops = this.summary?.loops ?? {};
    const names = Object.keys(loops);
    const none = byId("no-loops");
    none.hidden = names.length > 0;
    byId("loop-panel").parentElement.hidden = names.length === 0;
    setText(byId("no-loops-title"), this.summary ? "This layout has no coolant loop" : "Waiting for the twin");
    setText(byId("no-loops-text"), this.summary
      ? "Everything here is cooled by air; the Live page shows it. Add a loop to the layout (section loops), as layouts/liquid_row.yaml does, to see pumps, exchanger and cold plates here."
      : "The loops appear with its first state.");
    if (!names.length) return;
    if (!names.includes(this.loop)) this.loop = names[0];
    this.showTabs(names);
    const loop = loops[this.loop];
    const { sensors } = this.summary;
    this.showFigures(loop, sensors ?? {});
    this.diagram.show(this.loop, loop, sensors);
    this.table.show(this.loop, loop);
    const branches = { ...loop.branches, ...loop.coils };
    if (!(this.branch in branches)) this.select(this.hottest(loop)?.[0] ?? Object.keys(branches)[0]);
    this.showBranch(branches[this.branch], sensors ?? {});
  }

  showTabs(names) {
    const key = names.join();
    if (key !== this.tabsKey) {
      this.tabsKey = key;
      this.tabs = tabs(names.map((name) => [name, name]), "Loop", (name) => {
        this.loop = name;
        this.refresh();
      });
      byId("loop-tabs").replaceChildren(...(names.length > 1 ? [this.tabs.group] : []));
    }
    this.tabs.mark(this.loop);
  }

  hottest(loop) {
    const margin = (b) => (b.limit_c ?? NaN) - (b.chip_c ?? NaN);
    return Object.entries(loop.branches ?? {}).filter(([, b]) => Number.isFinite(margin(b)))
      .sort((a, b) => margin(a[1]) - margin(b[1]))[0];
  }

  showFigures(loop, sensors) {
    setText(byId("loop-title"), `Loop ${this.loop}`);
    setText(byId("loop-fluid"), `${FLUIDS[loop.fluid] ?? loop.fluid} · ${loop.cdu ?? ""} · ${Object.keys({ ...loop.branches, ...loop.coils }).length} branches`);
    const of = (point, write) => sensed(sensors, `${loop.cdu}.${point}`, write);
    const figure = (name, value, note, tone = "") => {
      setText(byId(`loop-${name}`), value);
      setText(byId(`loop-${name}-note`), note);
      setData(byId(`loop-${name}-figure`), "band", tone);
    };
    const taken = Object.values({ ...loop.branches, ...loop.coils }).reduce((sum, b) => sum + (b.liquid_heat_w ?? 0), 0);
    figure("heat", kilo(loop.heat_w, 1), `from branches ${kilo(taken, 1)}`);
    figure("flow", litres(loop.flow_m3_s), sensedFlow(sensors, `${loop.cdu}.coolant_flow`, loop) || "through the CDU");
    const off = Math.abs(loop.supply_c - loop.supply_set_c);
    figure("supply", fixed(loop.supply_c, 1), [`set ${fixed(loop.supply_set_c, 1)}`, of("supply_temperature", (v) => fixed(v, 1))].filter(Boolean).join(" · "),
      off > 2 ? "allowable" : "");
    figure("pressure", kilo(loop.pressure_difference_pa, 0), `${kilo(loop.supply_pressure_pa, 0)} over ${kilo(loop.return_pressure_pa, 0)}`);
    const pumps = Object.entries(loop.pumps ?? {}).map(([name, pump]) => [name, pumpState(pump, loop)]);
    const unsound = pumps.filter(([, state]) => !sound(state));
    const tripped = unsound.filter(([, state]) => pumpTone(state) === "over");
    const running = pumps.filter(([, state]) => state === "running");
    figure("pumps", fixed(loop.pump_power_w, 0), `${running.length} of ${pumps.length} running`, tripped.length ? "over" : unsound.length ? "allowable" : "");
    const worst = this.hottest(loop);
    const tone = worst ? chipTone(worst[1]) : "unknown";
    const left = worst ? worst[1].limit_c - worst[1].chip_c : NaN;
    figure("chip", fixed(worst?.[1].chip_c, 1), worst ? `${worst[0]} · ${fixed(Math.abs(left), 0)} K ${left < 0 ? "over" : "below"} limit` : "no chips",
      tone === "recommended" ? "" : tone);

    const low = loop.level < loop.alarm_level;
    const leaking = Object.entries(loop.branches ?? {}).filter(([, b]) => leaks(b)).map(([name]) => name);
    const known = (loop.findings ?? []).join(" ");
    const faults = [ // what the twin does not say by itself
      ...unsound.filter(([name]) => !known.includes(name)).map(([name, state]) => `${name}: ${state}`),
      ...(low && !/level/i.test(known) ? [`Reservoir level ${fixed(100 * loop.level, 0)} % is below its alarm at ${percent(loop.alarm_level)} %`] : []),
      ...leaking.filter((name) => !known.includes(name)).map((name) => `${name} leaks`),
      ...(loop.findings ?? []),
    ];
    const list = byId("loop-findings");
    while (list.children.length > faults.length) list.lastChild.remove();
    faults.forEach((text, i) => setText(list.children[i] ?? list.appendChild(h("li", {})), text));
    list.hidden = !faults.length;
    const state = byId("loop-state");
    const fresh = FRESH.has(this.status);
    const slow = unsound.length > 0;
    setText(state, !fresh ? { stale: "Stale: last picture", offline: "Offline: last picture" }[this.status] ?? "Starting"
      : tone === "over" ? "Chips over limit" : tripped.length ? "Pump down" : low ? "Level low" : leaking.length ? "Leak" : slow ? `Pump ${unsound[0][1]}` : faults.length ? "Look" : "Normal");
    setData(state, "band", !fresh || tone === "over" || tripped.length || low || leaking.length ? "over" : faults.length ? "allowable" : "recommended");
  }

  select(name) {
    if (!name || name === this.branch) return;
    this.branch = name;
    this.diagram.select(name);
    this.onSelect(name);
    const loop = this.summary?.loops?.[this.loop];
    this.plate.open(name, Boolean(loop?.branches?.[name]));
    if (loop) this.showBranch({ ...loop.branches, ...loop.coils }[name], this.summary.sensors ?? {});
  }

  showBranch(branch, sensors) {
    byId("branch-empty").hidden = Boolean(branch);
    byId("branch-detail").hidden = !branch;
    if (!branch) return;
    const tone = branch.chip_c == null ? "unknown" : chipTone(branch);
    setText(byId("branch-title"), `Branch ${this.branch}`);
    setText(byId("branch-band"), branch.limit_c == null ? "" : TONE_TEXT[tone]);
    setData(byId("branch-band"), "band", tone);
    setText(byId("branch-place"), [branch.rack && `rack ${branch.rack}`, branch.racklet && `racklet ${branch.racklet}`].filter(Boolean).join(" · "));
    const of = (point, write) => sensed(sensors, `${this.branch}.${point}`, write);
    const c = (value) => fixed(value, 1);
    const limit = branch.limit_c == null ? "no chips" : `limit ${degrees(branch.limit_c, 0)}`;
    const facts = [
      ["Flow", litres(branch.flow_m3_s), "L/min", sensedFlow(sensors, `${this.branch}.coolant_flow`, this.summary.loops[this.loop])],
      ["Chips, mean", c(branch.chip_c), "°C", of("chip_temperature", c), limit],
      ["Return", c(branch.return_c), "°C", of("return_temperature", c), `rise ${fixed(branch.return_c - branch.supply_c, 1)} K`],
      ["Heat to liquid", kilo(branch.liquid_heat_w, 1), "kW", of("liquid_heat", (v) => kilo(v, 1))],
      ["Supply", c(branch.supply_c), "°C", ""],
      ["To limit", fixed(branch.limit_c - branch.chip_c, 1), "K", limit],
      ["Pressure drop", kilo(branch.pressure_drop_pa, 1), "kPa", branch.limit_c == null ? "in the coil" : "in the plates"],
      ["Valve", percent(branch.valve), "%", leaks(branch) ? `leak ${fixed(1000 * branch.leak_kg_s, 1)} g/s` : "no leak"],
    ];
    const place = byId("branch-facts");
    for (const [name, value, unit, note, otherwise = ""] of facts) {
      if (!this.facts.has(name)) {
        const [number, small] = [h("b", {}), h("dd", { class: "fact-note" })];
        place.append(h("div", { class: "fact" }, h("dt", {}, name), h("dd", {}, number, h("span", { class: "unit" }, unit)), small));
        this.facts.set(name, [number, small]);
      }
      const [number, small] = this.facts.get(name);
      setText(number, value);
      setText(small, note || otherwise);
    }
  }
}
