// Joins the field socket, the pages' live parts and the 3-D component; Dash calls mount() once its page stands.
import { CoolantPage } from "./coolant.js";
import { byId, setText } from "./dom.js";
import { FieldSocket } from "./field.js";
import { Panels } from "./panels.js";
import { Viewer, hasWebGl2 } from "./viewer.js";

const tell = (id, data) => window.dash_clientside.set_props(id, { data });

const pageOf = (path) => (path.startsWith("/coolant") ? "coolant" : "live");

class Page {
  constructor(config) {
    this.config = config;
    this.sceneNumber = null;
    this.decisions = null;
    this.mode = hasWebGl2() ? "webgl" : this.plotlyMode();
    document.documentElement.dataset.viewer = this.mode;
    this.coolant = new CoolantPage(JSON.parse(byId("coolant").dataset.config), this.mode === "webgl", (name) => tell("selected-branch", name));
    this.panels = new Panels(config, (name) => this.select(name), (status) => this.coolant.setStatus(status));
    this.stats = { frames: 0, painted: 0, sequence: null, bytes: 0, mode: this.mode };
    tell("viewer-mode", this.mode);
    for (const link of document.querySelectorAll(".nav-link")) {
      link.addEventListener("click", (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return; // a new tab or window
        event.preventDefault();
        history.pushState(null, "", link.getAttribute("href") + location.search);
        this.show(link.dataset.page);
      });
    }
    window.addEventListener("popstate", () => this.show(pageOf(location.pathname)));
    this.show(pageOf(location.pathname));
    this.setTheme(document.documentElement.dataset.theme);
    byId("theme-toggle").addEventListener("click", () => {
      this.setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
    });
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    this.socket = new FieldSocket({
      url: `${scheme}://${location.host}/ws/field`,
      wantsField: () => this.page === "live" && Boolean(this.viewer),
      onOpen: () => {
        this.sceneNumber = null; // a restarted server counts its scenes anew
      },
      onFrame: (header, texture, bytes) => this.take(header, texture, bytes),
      onLost: () => this.panels.lost(),
    });
  }

  /** Show a page; the room is made when it is first seen. */
  show(page) {
    this.page = page;
    document.documentElement.dataset.page = page;
    for (const link of document.querySelectorAll(".nav-link")) {
      if (link.dataset.page === page) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    if (page === "live" && this.mode === "webgl" && !this.viewer) this.openRoom();
    if (page === "live" && this.summary) this.viewer?.setSummary(this.summary);
    this.coolant.setVisible(page === "coolant");
  }

  openRoom() {
    this.viewer = new Viewer(this.config, (name) => this.select(name));
    this.stats = Object.assign(this.viewer.stats, { mode: this.mode });
    if (this.theme) this.viewer.setTheme(this.theme);
    if (this.scene) this.viewer.setScene(this.scene);
    this.viewer.select(this.selected);
  }

  /** Without WebGL 2: plotly's 3-D view where an older WebGL is left, else a plan. */
  plotlyMode() {
    return document.createElement("canvas").getContext("webgl") ? "plotly" : "plan";
  }

  async take(header, texture, bytes) {
    if (header.scene && header.scene !== this.sceneNumber) {
      const reply = await fetch("/api/scene");
      if (reply.ok) {
        this.scene = await reply.json();
        this.sceneNumber = this.scene.number;
        this.viewer?.setScene(this.scene);
        tell("scene-number", this.scene.number);
      }
    }
    if (header.summary) {
      this.summary = header.summary;
      if (this.page === "live") this.viewer?.setSummary(header.summary);
      this.coolant.take(header.summary);
    }
    this.panels.take(header);
    const decisions = `${header.summary?.decisions_sequence ?? ""}/${header.decisions}`;
    if (header.summary && decisions !== this.decisions) {
      this.decisions = decisions;
      tell("decisions-seen", decisions);
    }
    if (texture && this.viewer?.sceneData) await this.viewer.setField(header, texture, bytes);
    else this.stats.sequence = header.sequence ?? this.stats.sequence;
    setText(byId("foot-picture"), this.page === "live" && this.viewer ? `${this.stats.fieldHz.toFixed(1)} fields/s` : "");
  }

  select(name) {
    if (name === this.selected) return;
    this.selected = name;
    this.viewer?.select(name);
    this.panels.select(name);
    tell("selected-rack", name);
  }

  setTheme(name) {
    this.theme = name;
    document.documentElement.dataset.theme = name;
    localStorage.setItem("racklet-theme", name);
    byId("theme-toggle").setAttribute("aria-label", `Switch to the ${name === "dark" ? "light" : "dark"} theme`);
    this.viewer?.setTheme(name);
    this.coolant.setTheme(name);
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
