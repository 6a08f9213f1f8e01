// The number under the pointer: asked of the server, never read from the texture; one question in the air.
import { h } from "./dom.js";

const PAUSE = 90; // ms between questions

export class Hover {
  /**
   * `pick(at)` gives what is under a pixel ({point, cursor, ...} or null), `address(point)` where its number is,
   * `content(hovered, reply)` the tip's children.
   */
  constructor(stage, { pick, address, content }) {
    Object.assign(this, { stage, pick, address, content });
    this.tip = h("div", { class: "tip", role: "status", hidden: true });
    stage.parent.append(this.tip);
    const { canvas } = stage;
    canvas.addEventListener("pointermove", (event) => (event.buttons ? this.leave() : this.move(this.place(event))));
    canvas.addEventListener("pointerleave", () => this.leave());
  }

  /** Pixel place of an event on the canvas. */
  place(event) {
    const box = this.stage.canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  leave() {
    this.hovered = null;
    this.tip.hidden = true;
  }

  move(at) {
    const found = this.pick(at);
    if (!found) {
      this.leave();
      return;
    }
    this.hovered = { at, ...found };
    this.stage.canvas.style.cursor = found.cursor ?? "";
    this.probe();
  }

  /** The field has changed under the pointer. */
  again() {
    if (this.hovered) this.probe();
  }

  async probe() {
    if (this.probing) {
      this.wanted = true;
      return;
    }
    this.probing = true;
    try {
      const reply = await fetch(this.address(this.hovered.point));
      if (reply.ok && this.hovered) this.show(this.hovered, await reply.json());
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // the server is away; the badge says so
    }
    setTimeout(() => {
      this.probing = false;
      if (this.wanted && this.hovered) {
        this.wanted = false;
        this.probe();
      }
    }, PAUSE);
  }

  show(hovered, reply) {
    const { tip } = this;
    tip.replaceChildren(...this.content(hovered, reply).filter(Boolean));
    tip.dataset.value = reply.temperature_c ?? "";
    tip.dataset.point = reply.point.join(",");
    tip.dataset.sequence = reply.sequence ?? "";
    tip.hidden = false;
    const { clientWidth: width, clientHeight: height } = this.stage.parent;
    const left = hovered.at.x + 18 + tip.offsetWidth > width ? hovered.at.x - 14 - tip.offsetWidth : hovered.at.x + 18;
    const top = Math.min(Math.max(hovered.at.y - tip.offsetHeight / 2, 6), height - tip.offsetHeight - 6);
    tip.style.transform = `translate(${Math.max(4, left)}px, ${top}px)`;
  }
}
