// The live panels around the picture: badge, key figures, racks, facts of the selected rack, footer.
import { SILENCE } from "./field.js";
import { age, byId, fixed, h, kilo, percent, setData, setText } from "./dom.js";
import { rackBand } from "./colormap.js";

const HISTORY = 150; // points of a sparkline
const AIR_TEMPERATURE = /\.(inlet_|outlet_|return_)?temperature(\.|$)/; // what the twin's error is made of
const RANK_STEP = 0.2; // K
const STATUS_TEXT = { live: "LIVE", stale: "STALE", degraded: "DEGRADED", starting: "STARTING", offline: "OFFLINE" };
const BAND_TEXT = { below: "Below limit", recommended: "Recommended", allowable: "Allowable", over: "Over limit", unknown: "Unknown" };

/** A failed or stopped cooler moves no air; what stands at its outlet is not a supply. */
const runs = (cooler) => !cooler.failed && (cooler.air_flow == null || cooler.air_flow > 0);

export class Panels {
  constructor(config, onSelect, onStatus) {
    this.config = config;
    this.onSelect = onSelect;
    this.onStatus = onStatus;
    this.rows = new Map();
    this.sparks = new Map();
    this.heard = performance.now();
    this.state = { status: "starting", data_age_s: null, message: "" };
    this.factCells = new Map();
    byId("rack-list").addEventListener("keydown", (event) => this.walk(event));
    setInterval(() => performance.now() - this.heard > 900 && this.tick(), 1000); // frames tick too
    this.tick();
  }

  /** A frame arrived: the state of the source, and the summary where there is a new one. */
  take(header) {
    this.heard = performance.now();
    this.state = header.state;
    if (header.summary) this.showSummary(header.summary);
    this.tick();
  }

  lost() {
    this.offline = true;
    this.tick();
  }

  tick() {
    const silent = performance.now() - this.heard;
    if (silent < 300) this.offline = false;
    const offline = this.offline || silent > SILENCE;
    const status = offline ? "offline" : this.state.status;
    const shownAge = this.state.data_age_s == null ? null : this.state.data_age_s + silent / 1000;
    setData(byId("badge"), "status", status);
    setText(byId("badge-text"), STATUS_TEXT[status] ?? status.toUpperCase());
    setText(byId("badge-age"), shownAge == null ? "no data yet" : `data ${age(shownAge)} old`);
    setData(document.documentElement, "status", status);
    this.onStatus(status);
    const message = offline ? "No connection to the server. The page reconnects by itself." : this.state.message;
    const alert = ["stale", "offline", "degraded"].includes(status) && message;
    const notice = byId("notice");
    notice.hidden = !alert;
    setText(byId("notice-text"), alert ? message : "");
    setData(notice, "status", status);
    const waiting = byId("waiting");
    waiting.hidden = Boolean(this.summary);
    setText(byId("waiting-text"), message);
  }

  showSummary(summary) {
    const first = !this.summary;
    this.summary = summary;
    const racks = Object.entries(summary.racks ?? {});
    const kpis = summary.kpis ?? {};
    setText(byId("layout-name"), summary.layout ?? "");
    setText(byId("stat-factor"), `${fixed(summary.real_time_factor, 1)}×`);
    const agents = summary.agents ?? {};
    setText(byId("stat-agents"), `${agents.alive ?? 0}/${agents.expected ?? 0}`);
    setData(byId("stat-agents"), "alert", agents.alive < agents.expected ? "yes" : "no");
    setText(byId("stat-mode"), summary.mode === "auto" ? "Auto" : "Advise");
    setData(byId("stat-mode"), "mode", summary.mode ?? "advise");

    const hottest = racks.reduce((a, b) => ((b[1].inlet_max_c ?? -99) > (a?.[1].inlet_max_c ?? -99) ? b : a), null);
    const band = hottest ? rackBand(hottest[1], this.config.limits) : "unknown";
    this.kpi("inlet", kpis.max_inlet_c, fixed(kpis.max_inlet_c, 1), hottest ? `${hottest[0]} · ${BAND_TEXT[band].toLowerCase()}` : "");
    setData(byId("kpi-inlet"), "band", band);
    this.kpi("over", kpis.racks_over_27, fixed(kpis.racks_over_27, 0), `of ${racks.length} racks`);
    setData(byId("kpi-over"), "band", kpis.racks_over_27 > 0 ? "allowable" : "recommended");
    this.kpi("it", kpis.it_kw, fixed(kpis.it_kw, 1), racks.length ? `${fixed(kpis.it_kw / racks.length, 1)} kW a rack` : "");
    const coolers = Object.values(summary.coolers ?? {});
    const running = coolers.filter(runs);
    const supply = running.reduce((sum, cooler) => sum + (cooler.supply_c ?? NaN), 0) / running.length;
    const count = running.length === coolers.length ? `${coolers.length}` : `${running.length} of ${coolers.length}`;
    this.kpi("cooling", kpis.cooling_kw, fixed(kpis.cooling_kw, 1), `${count} coolers · supply ${fixed(supply, 1)} °C`);
    const compared = Object.entries(summary.sensors ?? {})
      .filter(([point, sensor]) => sensor.error != null && AIR_TEMPERATURE.test(point)).length;
    this.kpi("error", kpis.twin_error_k, fixed(kpis.twin_error_k, 2), compared ? `mean of ${compared} air sensors` : "no sensor to compare");

    this.showRacks(racks);
    this.showBands(racks);
    this.showCoolers(summary.coolers ?? {});
    if (first && hottest) this.onSelect(hottest[0]);
    this.showFacts();
    this.showFooter(summary);
  }

  kpi(name, value, text, note) {
    setText(byId(`kpi-${name}-value`), text);
    setText(byId(`kpi-${name}-note`), note);
    const place = byId(`kpi-${name}-spark`);
    if (!place || !Number.isFinite(value)) return;
    if (!this.sparks.has(name)) this.sparks.set(name, []);
    const values = this.sparks.get(name);
    values.push(value);
    if (values.length > HISTORY) values.shift();
    if (values.length < 3) return;
    const low = Math.min(...values);
    const span = Math.max(Math.max(...values) - low, 0.02 * Math.abs(low), 1e-6);
    const points = values.map((v, i) => `${((100 * i) / (values.length - 1)).toFixed(1)},${(26 - (22 * (v - low)) / span).toFixed(1)}`);
    if (!place.firstChild) {
      place.innerHTML = '<svg viewBox="0 0 100 30" preserveAspectRatio="none" aria-hidden="true"><polyline fill="none" vector-effect="non-scaling-stroke"/></svg>';
    }
    place.querySelector("polyline").setAttribute("points", points.join(" "));
  }

  showRacks(racks) {
    const list = byId("rack-list");
    const sorted = this.rank(racks);
    const names = sorted.map(([name]) => name);
    for (const [name, row] of this.rows) if (!names.includes(name)) row.element.remove();
    const [low, high] = [15, 40];
    sorted.forEach(([name, rack], position) => {
      if (!this.rows.has(name)) this.rows.set(name, this.makeRow(name));
      const row = this.rows.get(name);
      const band = rackBand(rack, this.config.limits);
      setData(row.element, "band", band);
      setText(row.inlet, fixed(rack.inlet_max_c, 1));
      setText(row.power, kilo(rack.power_w, 1));
      const share = Math.min(1, Math.max(0.02, (rack.inlet_max_c - low) / (high - low)));
      row.bar.style.transform = `scaleX(${Number.isFinite(share) ? share.toFixed(3) : 0})`;
      row.element.setAttribute("aria-label",
        `${name}, inlet ${fixed(rack.inlet_max_c, 1)} degrees, ${kilo(rack.power_w, 1)} kilowatts, ${BAND_TEXT[band]}`);
      const alive = this.summary.agents?.names;
      const down = alive?.[rack.racklet] === false;
      setData(row.element, "down", down ? "yes" : "no");
      if (list.children[position] !== row.element) list.insertBefore(row.element, list.children[position] ?? null);
    });
    this.markSelected();
  }

  /** Hottest first; neighbours change places only for a clear difference, so that rows do not dance. */
  rank(racks) {
    const inlet = ([, rack]) => rack.inlet_max_c ?? -99;
    if (this.order?.length !== racks.length) {
      this.order = [...racks].sort((a, b) => inlet(b) - inlet(a)).map(([name]) => name);
    }
    const known = new Map(racks);
    const sorted = this.order.filter((name) => known.has(name)).map((name) => [name, known.get(name)]);
    for (let pass = 0; pass < sorted.length; pass += 1) {
      for (let i = 0; i + 1 < sorted.length; i += 1) {
        if (inlet(sorted[i + 1]) > inlet(sorted[i]) + RANK_STEP) [sorted[i], sorted[i + 1]] = [sorted[i + 1], sorted[i]];
      }
    }
    this.order = sorted.map(([name]) => name);
    return sorted;
  }

  /** The bands' numbers in the legend where all racks are of one class, else only their names. */
  showBands(racks) {
    const classes = new Map(racks.map(([, rack]) => [String(rack.limits_c ?? this.config.limits), rack.limits_c ?? this.config.limits]));
    const [low, from, to, high] = (classes.size === 1 ? [...classes.values()][0] : [NaN]).map((value) => fixed(value, 0));
    const texts = classes.size === 1
      ? { below: `below ${low}`, recommended: `${from}–${to}`, allowable: `${low}–${high}`, over: `over ${high}` }
      : { below: "below", recommended: "recommended", allowable: "allowable", over: "over" };
    for (const [band, text] of Object.entries(texts)) setText(byId(`band-${band}`), text);
  }

  showCoolers(coolers) {
    const list = byId("cooler-list");
    const entries = Object.entries(coolers);
    while (list.children.length > entries.length) list.lastChild.remove();
    entries.forEach(([name, cooler], i) => {
      const item = list.children[i] ?? list.appendChild(h("li", {}, h("b", {}), h("span", {}), h("span", { class: "cooler-power" })));
      setText(item.children[0], name);
      setText(item.children[1], runs(cooler) ? `${fixed(cooler.supply_c, 1)} → ${fixed(cooler.return_c, 1)}` : "off");
      setText(item.children[2], `${kilo(cooler.cooling_w, 1)} kW`);
    });
  }

  makeRow(name) {
    const inlet = h("span", { class: "row-inlet" });
    const power = h("span", { class: "row-power" });
    const bar = h("span", { class: "row-fill" });
    const element = h("button", { type: "button", class: "row", role: "option", tabindex: -1, onclick: () => this.onSelect(name) },
      h("span", { class: "row-dot" }), h("span", { class: "row-name" }, name), h("span", { class: "row-bar" }, bar), inlet, power);
    element.dataset.rack = name;
    return { element, inlet, power, bar };
  }

  walk(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const rows = [...byId("rack-list").children];
    const at = rows.indexOf(document.activeElement);
    if (!step || at < 0) return;
    event.preventDefault();
    const next = rows[Math.min(rows.length - 1, Math.max(0, at + step))];
    this.onSelect(next.dataset.rack);
    next.focus();
  }

  select(name) {
    this.selected = name;
    this.markSelected();
    this.showFacts();
  }

  markSelected() {
    const anySelected = this.rows.has(this.selected);
    let first = true;
    for (const [name, { element }] of this.rows) {
      const mine = name === this.selected;
      if (element.getAttribute("aria-selected") !== String(mine)) element.setAttribute("aria-selected", mine);
      element.tabIndex = mine || (!anySelected && first) ? 0 : -1;
      first = false;
    }
  }

  showFacts() {
    const rack = this.summary?.racks?.[this.selected];
    byId("rack-empty").hidden = Boolean(rack);
    byId("rack-detail").hidden = !rack;
    if (!rack) return;
    const { racklet } = rack;
    const alive = this.summary.agents?.names?.[racklet];
    const band = rackBand(rack, this.config.limits);
    setText(byId("rack-title"), `Rack ${this.selected}`);
    setText(byId("rack-band"), BAND_TEXT[band]);
    setData(byId("rack-band"), "band", band);
    setText(byId("rack-agent"), alive === undefined ? "" : `racklet ${racklet} ${alive ? "online" : "offline"}`);
    setData(byId("rack-agent"), "alive", alive === false ? "no" : "yes");
    const rise = rack.outlet_mean_c - rack.inlet_mean_c;
    const facts = [
      ["Inlet max, twin", fixed(rack.inlet_max_c, 1), "°C", "The twin's air where the rack's inlet sensors are: the hottest of them"],
      ["Inlet max, sensor", fixed(rack.measured_inlet_max_c, 1), "°C", "The hottest of the rack's inlet sensors"],
      ["Outlet", fixed(rack.outlet_mean_c, 1), "°C"],
      ["Power", kilo(rack.power_w, 2), "kW"],
      ["To liquid", kilo(rack.liquid_heat_w, 2), "kW"],
      ["Air rise", fixed(rise, 1), "K"],
      ["Air flow", fixed(rack.air_flow == null ? NaN : rack.air_flow * 3600, 0), "m³/h"],
      ["Fan", percent(rack.fan_speed), "%"],
      ["Pump", percent(rack.pump_speed), "%"],
    ];
    const place = byId("rack-facts");
    facts.forEach(([name, value, unit, hint]) => {
      if (!this.factCells.has(name)) {
        const number = h("b", {});
        place.append(h("div", { class: "fact", title: hint }, h("dt", {}, name), h("dd", {}, number, h("span", { class: "unit" }, unit))));
        this.factCells.set(name, number);
      }
      setText(this.factCells.get(name), value);
    });
  }

  showFooter(summary) {
    const cells = summary.cells ? summary.cells.toLocaleString("en-US").replaceAll(",", "\u2009") : "–";
    setText(byId("foot-cells"), `${cells} cells`);
    const list = byId("foot-processes");
    const processes = Object.entries(summary.processes ?? {});
    const agents = processes.filter(([name]) => /^(agent[-_. ]?)?K\d+/i.test(name));
    const shown = processes.filter((entry) => !agents.includes(entry));
    const items = shown.map(([name, body]) => [name, body.running !== false && body.alive !== false, body]);
    if (agents.length) {
      const cpu = agents.reduce((sum, [, body]) => sum + (body.cpu_percent ?? 0), 0);
      const up = agents.filter(([, body]) => body.running !== false && body.alive !== false).length;
      items.push([`racklets ${up}/${agents.length}`, up === agents.length, { cpu_percent: cpu }]);
    }
    while (list.children.length > items.length) list.lastChild.remove();
    items.forEach(([name, up, body], i) => {
      const item = list.children[i] ?? list.appendChild(h("li", {}, h("i", {}), h("span", {})));
      setData(item, "up", up ? "yes" : "no");
      const cpu = Number.isFinite(body.cpu_percent) ? ` ${fixed(body.cpu_percent, 0)} %` : "";
      const again = body.restarts ? ` ↻${body.restarts}` : "";
      setText(item.lastChild, `${name.replace(/^agent[-_. ]/, "")}${cpu}${again}`);
    });
  }
}
