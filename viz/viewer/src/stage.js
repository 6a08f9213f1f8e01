// Renderer, camera and orbit controls; draws only when something has changed.
import * as THREE from "three";
import { OrbitControls } from "three/examples/jsm/controls/OrbitControls.js";

const FAR_FOV = 38; // degrees, for a room seen from outside
export const NEAR_FOV = 64; // degrees, for standing in it
const SOFTWARE_PIXELS = 420000; // a processor draws this many in about a tenth of a second

/** Whether the processor does a graphics card's work. */
function isSoftware(gl) {
  const names = gl.getExtension("WEBGL_debug_renderer_info");
  const name = names ? gl.getParameter(names.UNMASKED_RENDERER_WEBGL) : gl.getParameter(gl.RENDERER);
  return /swiftshader|llvmpipe|softpipe|software|basic render/i.test(String(name));
}

const ROOM = { label: "3-D view of the room; arrow keys orbit, plus and minus zoom", lowest: 0.52 * Math.PI, nearest: 1, farthest: 60 };

export class Stage {
  constructor(parent, onDrawn, { label, lowest, nearest, farthest } = ROOM) {
    this.renderer = new THREE.WebGLRenderer({ antialias: true, powerPreference: "high-performance" });
    this.software = isSoftware(this.renderer.getContext());
    this.canvas = this.renderer.domElement;
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", label);
    this.canvas.tabIndex = 0;
    parent.append(this.canvas);
    this.scene = new THREE.Scene();
    this.camera = new THREE.PerspectiveCamera(FAR_FOV, 1, 0.1, 200);
    this.camera.up.set(0, 0, 1);
    this.controls = new OrbitControls(this.camera, this.canvas);
    this.controls.maxPolarAngle = lowest;
    this.controls.minDistance = nearest;
    this.controls.maxDistance = farthest;
    this.controls.addEventListener("change", () => this.invalidate());
    this.scene.add(new THREE.HemisphereLight(0xffffff, 0x5a6472, 2.1));
    const sun = new THREE.DirectionalLight(0xffffff, 1.5);
    sun.position.set(-3, -5, 9);
    this.scene.add(sun);
    this.onDrawn = onDrawn;
    this.pending = false;
    this.waiting = [];
    this.frames = 0;
    this.drawTime = 0;
    new ResizeObserver(() => this.resize()).observe(parent);
    this.parent = parent;
    this.resize();
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    this.onLost = () => {}; // told true when the graphics are gone, false when they are back
    this.canvas.addEventListener("webglcontextlost", () => this.onLost(true));
    this.canvas.addEventListener("webglcontextrestored", () => {
      this.onLost(false);
      this.invalidate();
    });
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.parent;
    if (!width || !height) return;
    const finest = this.software ? Math.sqrt(SOFTWARE_PIXELS / (width * height)) : 2;
    this.renderer.setPixelRatio(Math.min(window.devicePixelRatio, finest));
    this.renderer.setSize(width, height);
    this.camera.aspect = width / height;
    this.camera.updateProjectionMatrix();
    this.invalidate();
  }

  invalidate() {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => {
      this.pending = false;
      const start = performance.now();
      try {
        this.renderer.render(this.scene, this.camera);
        this.drawTime = performance.now() - start;
        this.frames += 1;
        this.onDrawn();
      } finally { // who waits for a picture goes on, even without one
        for (const resolve of this.waiting.splice(0)) resolve();
      }
    });
  }

  /** Draw soon, and say when it has been drawn. */
  drawn() {
    this.invalidate();
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  look(position, target, fov = FAR_FOV) {
    this.camera.fov = fov;
    this.camera.updateProjectionMatrix();
    this.camera.position.set(...position);
    this.controls.target.set(...target);
    this.controls.update();
    this.camera.updateMatrixWorld(); // a click may come before the next frame
    this.invalidate();
  }

  /** Look from a direction (room to eye) so that the box low..high just fills the picture. */
  fit(direction, low, high, margin = 1.07) {
    const middle = new THREE.Vector3(...low).add(new THREE.Vector3(...high)).multiplyScalar(0.5);
    const out = new THREE.Vector3(...direction).normalize();
    const right = new THREE.Vector3().crossVectors(this.camera.up, out).normalize();
    const up = new THREE.Vector3().crossVectors(out, right);
    const tall = Math.tan((FAR_FOV * Math.PI) / 360);
    const wide = tall * this.camera.aspect;
    const corners = Array.from({ length: 8 }, (_, i) =>
      new THREE.Vector3(...[0, 1, 2].map((axis) => ((i >> axis) & 1 ? high : low)[axis])).sub(middle));
    // the picture's middle is chosen halfway between the extreme corners, twice over, as depth shifts it
    const shift = new THREE.Vector3();
    let distance = 0;
    for (let round = 0; round < 4; round += 1) {
      distance = Math.max(...corners.map((corner) => {
        const c = corner.clone().sub(shift);
        return c.dot(out) + margin * Math.max(Math.abs(c.dot(right)) / wide, Math.abs(c.dot(up)) / tall);
      }));
      const seen = corners.map((corner) => {
        const c = corner.clone().sub(shift);
        return [c.dot(right) / (distance - c.dot(out)), c.dot(up) / (distance - c.dot(out))];
      });
      const centre = (i) => (Math.min(...seen.map((s) => s[i])) + Math.max(...seen.map((s) => s[i]))) / 2;
      shift.addScaledVector(right, centre(0) * distance).addScaledVector(up, centre(1) * distance);
    }
    const target = middle.add(shift);
    this.look(target.clone().addScaledVector(out, distance).toArray(), target.toArray());
  }

  key(event) {
    const turns = { ArrowLeft: [-0.12, 0], ArrowRight: [0.12, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] };
    const offset = this.camera.position.clone().sub(this.controls.target);
    if (turns[event.key]) {
      const [around, over] = turns[event.key];
      const flat = Math.hypot(offset.x, offset.y);
      const azimuth = Math.atan2(offset.y, offset.x) + around;
      const polar = Math.min(Math.max(Math.atan2(flat, offset.z) + over, 0.02), this.controls.maxPolarAngle);
      const length = offset.length();
      offset.set(
        length * Math.sin(polar) * Math.cos(azimuth), length * Math.sin(polar) * Math.sin(azimuth),
        length * Math.cos(polar));
    } else if (event.key === "+" || event.key === "=") offset.multiplyScalar(0.88);
    else if (event.key === "-") offset.multiplyScalar(1.14);
    else return;
    event.preventDefault();
    this.look(this.controls.target.clone().add(offset).toArray(), this.controls.target.toArray(), this.camera.fov);
  }

  /** Pixel place of a point of the room, and its depth; null behind the camera. */
  project(at) {
    const point = new THREE.Vector3(...at).project(this.camera);
    if (point.z > 1 || point.z < -1) return null;
    const { clientWidth: width, clientHeight: height } = this.parent;
    return { x: (0.5 + 0.5 * point.x) * width, y: (0.5 - 0.5 * point.y) * height, depth: point.z };
  }

  /** First visible target under a pixel. */
  pick(x, y, targets) {
    const { clientWidth: width, clientHeight: height } = this.parent;
    const ray = new THREE.Raycaster();
    ray.setFromCamera(new THREE.Vector2((2 * x) / width - 1, 1 - (2 * y) / height), this.camera);
    return ray.intersectObjects(targets.filter((target) => target.visible), false)[0] ?? null;
  }
}
