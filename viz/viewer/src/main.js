// Joins the field socket, the 3-D component and the live panels; Dash calls mount() once its page stands.
import { byId, setText } from "./dom.js";
import { FieldSocket } from "./field.js";
import { Panels } from "./panels.js";
import { Viewer, hasWebGl2 } from "./viewer.js";

const tell = (id, data) => window.dash_clientside.set_props(id, { data });

class Page {
  constructor(config) {
    this.config = config;
    this.sceneNumber = null;
    this.decisions = null;
    this.panels = new Panels(config, (name) => this.select(name));
    const mode = hasWebGl2() ? "webgl" : this.plotlyMode();
    document.documentElement.dataset.viewer = mode;
    if (mode === "webgl") this.viewer = new Viewer(config, (name) => this.select(name));
    tell("viewer-mode", mode);
    this.stats = this.viewer?.stats ?? { frames: 0, painted: 0, sequence: null, bytes: 0 };
    this.stats.mode = mode;
    this.setTheme(document.documentElement.dataset.theme);
    byId("theme-toggle").addEventListener("click", () => {
      this.setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
    });
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    this.socket = new FieldSocket({
      url: `${scheme}://${location.host}/ws/field`,
      wantsField: () => Boolean(this.viewer),
      onOpen: () => {
        this.sceneNumber = null; // a restarted server counts its scenes anew
      },
      onFrame: (header, texture, bytes) => this.take(header, texture, bytes),
      onLost: () => this.panels.lost(),
    });
  }

  /** Without WebGL 2: plotly's 3-D view where an older WebGL is left, else a plan. */
  plotlyMode() {
    return document.createElement("canvas").getContext("webgl") ? "plotly" : "plan";
  }

  async take(header, texture, bytes) {
    if (header.scene && header.scene !== this.sceneNumber) {
      const reply = await fetch("/api/scene");
      if (reply.ok) {
        const scene = await reply.json();
        this.sceneNumber = scene.number;
        this.viewer?.setScene(scene);
        tell("scene-number", scene.number);
      }
    }
    if (header.summary) this.viewer?.setSummary(header.summary);
    this.panels.take(header);
    const decisions = `${header.summary?.decisions_sequence ?? ""}/${header.decisions}`;
    if (header.summary && decisions !== this.decisions) {
      this.decisions = decisions;
      tell("decisions-seen", decisions);
    }
    if (texture && this.viewer?.sceneData) await this.viewer.setField(header, texture, bytes);
    else this.stats.sequence = header.sequence ?? this.stats.sequence;
    if (this.viewer) setText(byId("foot-picture"), `${this.stats.fieldHz.toFixed(1)} fields/s`);
  }

  select(name) {
    if (name === this.selected) return;
    this.selected = name;
    this.viewer?.select(name);
    this.panels.select(name);
    tell("selected-rack", name);
  }

  setTheme(name) {
    document.documentElement.dataset.theme = name;
    localStorage.setItem("racklet-theme", name);
    byId("theme-toggle").setAttribute("aria-label", `Switch to the ${name === "dark" ? "light" : "dark"} theme`);
    this.viewer?.setTheme(name);
    tell("theme", name);
  }
}

window.dash_clientside = window.dash_clientside ?? {};
window.dash_clientside.racklet = {
  mount() {
    const element = byId("viewer");
    if (element && !window.rackletViewer) window.rackletViewer = new Page(JSON.parse(element.dataset.config));
    return window.dash_clientside.no_update;
  },
};
