// The room as things people recognise: raised floor and tiles, racks with doors and units, coolers, panels.
import * as THREE from "three";

const RACK_UNIT = 0.04445; // m
const ZONES = ["bottom", "middle", "top"];

export const palettes = {
  dark: {
    background: 0x0d1219, floor: 0x1b2430, floorLine: "#2a3646", slab: 0x131a23, wall: 0x243040, edge: 0x3b4a5e,
    rack: 0x2a3441, rackEdge: 0x55657a, cooler: 0xc3ccd6, coolerEdge: 0x7f8ea0, tile: "#3f5063", tileHole: "#0f151d",
    panel: 0x8fb8de, obstacle: 0x4a5666, unknown: 0x4a5666, selected: 0x5aa9ff, unit: "rgba(6,10,15,0.5)",
    bands: { below: 0x5aa9ff, recommended: 0x2fbf8f, allowable: 0xf2b035, over: 0xf0564a },
  },
  light: {
    background: 0xeef2f6, floor: 0xdfe5ec, floorLine: "#c3cdd8", slab: 0xcfd7e0, wall: 0xd4dce5, edge: 0xa3b0bf,
    rack: 0x4a5766, rackEdge: 0x2b3541, cooler: 0xfafbfc, coolerEdge: 0x93a1b1, tile: "#f7f9fb", tileHole: "#8a99aa",
    panel: 0x6fa3d0, obstacle: 0x9aa6b3, unknown: 0x9aa6b3, selected: 0x0b63ce, unit: "rgba(6,24,30,0.34)",
    bands: { below: 0x5aa5f5, recommended: 0x35c496, allowable: 0xf5b23c, over: 0xee5a4e },
  },
};

const NORMALS = { "+x": [1, 0, 0], "-x": [-1, 0, 0], "+y": [0, 1, 0], "-y": [0, -1, 0] };

function canvasTexture(width, height, draw) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  draw(canvas.getContext("2d"));
  const texture = new THREE.CanvasTexture(canvas);
  texture.colorSpace = THREE.SRGBColorSpace;
  texture.anisotropy = canvasTexture.anisotropy;
  return texture;
}

canvasTexture.anisotropy = 1;

/** A rectangle whose centre is `centre`, looking along `normal`; its u runs level, its v upwards. */
function facing(width, height, centre, normal, material) {
  const mesh = new THREE.Mesh(new THREE.PlaneGeometry(width, height), material);
  const n = new THREE.Vector3(...normal);
  const up = Math.abs(n.z) > 0.5 ? new THREE.Vector3(0, 1, 0) : new THREE.Vector3(0, 0, 1);
  const right = new THREE.Vector3().crossVectors(up, n);
  mesh.setRotationFromMatrix(new THREE.Matrix4().makeBasis(right, up, n));
  mesh.position.set(...centre);
  return mesh;
}

export class Room {
  constructor(scene, themeName, anisotropy) {
    canvasTexture.anisotropy = anisotropy;
    this.scene = scene;
    this.palette = palettes[themeName];
    this.group = new THREE.Group();
    this.racks = new Map();
    this.coolers = new Map();
    this.targets = [];
    this.anchors = [];
    this.floorHeight = scene.lo[2];
    const floors = scene.boxes.filter((box) => box.kind === "floor");
    if (floors.length) this.floorHeight = Math.max(...floors.map((box) => box.hi[2]));
    this.shell();
    for (const box of scene.boxes) {
      if (box.kind === "rack") this.rack(box);
      else if (box.kind === "racklet") this.racklet(box);
      else if (box.kind === "cooler") this.cooler(box);
      else if (box.kind === "tile") this.tile(box);
      else if (box.kind === "panel") this.panel(box);
      else if (box.kind === "obstacle" || box.kind === "wall") this.block(box);
    }
  }

  dispose() {
    this.group.traverse((object) => {
      object.geometry?.dispose();
      for (const material of [object.material].flat()) {
        material?.map?.dispose();
        material?.dispose();
      }
    });
  }

  add(object, userData) {
    this.group.add(object);
    if (userData) {
      object.userData = userData;
      this.targets.push(object);
    }
    return object;
  }

  shell() {
    const { lo, hi } = this.scene;
    const p = this.palette;
    const size = lo.map((value, axis) => hi[axis] - value);
    const middle = lo.map((value, axis) => value + size[axis] / 2);
    const top = hi[2] - this.floorHeight;
    const walls = new THREE.Mesh(
      new THREE.BoxGeometry(size[0], size[1], top),
      new THREE.MeshBasicMaterial({
        color: p.wall, side: THREE.BackSide, transparent: true, opacity: 0.35, depthWrite: false,
      }),
    );
    walls.position.set(middle[0], middle[1], this.floorHeight + top / 2);
    this.add(walls);
    const edges = new THREE.LineSegments(
      new THREE.EdgesGeometry(new THREE.BoxGeometry(...size)),
      new THREE.LineBasicMaterial({ color: p.edge }),
    );
    edges.position.set(...middle);
    this.add(edges);
    const tiles = canvasTexture(128, 128, (pen) => {
      pen.fillStyle = `#${p.floor.toString(16).padStart(6, "0")}`;
      pen.fillRect(0, 0, 128, 128);
      pen.strokeStyle = p.floorLine;
      pen.lineWidth = 3;
      pen.strokeRect(0, 0, 128, 128);
    });
    tiles.wrapS = tiles.wrapT = THREE.RepeatWrapping;
    tiles.repeat.set(size[0] / 0.6, size[1] / 0.6);
    const floor = facing(size[0], size[1], [middle[0], middle[1], this.floorHeight], [0, 0, 1],
      new THREE.MeshLambertMaterial({
        map: tiles, side: THREE.DoubleSide, polygonOffset: true, polygonOffsetFactor: 1, polygonOffsetUnits: 1,
      }));
    this.add(floor, { kind: "floor", name: "Raised floor" });
    if (this.floorHeight > lo[2] + 0.05) {
      const plenum = new THREE.Mesh(
        new THREE.BoxGeometry(size[0], size[1], this.floorHeight - lo[2] - 0.01),
        new THREE.MeshBasicMaterial({
          color: p.slab, transparent: true, opacity: 0.55, side: THREE.BackSide, depthWrite: false,
        }),
      );
      plenum.position.set(middle[0], middle[1], (this.floorHeight + lo[2]) / 2);
      this.add(plenum);
      const slab = facing(size[0], size[1], [middle[0], middle[1], lo[2]], [0, 0, 1],
        new THREE.MeshLambertMaterial({ color: p.slab, side: THREE.DoubleSide }));
      this.add(slab);
      const pedestals = [];
      for (let x = lo[0] + 0.6; x < hi[0]; x += 1.2) {
        for (let y = lo[1] + 0.6; y < hi[1]; y += 1.2) pedestals.push(x, y, lo[2], x, y, this.floorHeight);
      }
      const lines = new THREE.BufferGeometry();
      lines.setAttribute("position", new THREE.Float32BufferAttribute(pedestals, 3));
      this.add(new THREE.LineSegments(lines, new THREE.LineBasicMaterial({ color: p.edge })));
    }
  }

  solid(box, colour, edgeColour, userData) {
    const size = box.lo.map((value, axis) => Math.max(0.01, box.hi[axis] - value));
    const middle = box.lo.map((value, axis) => (value + box.hi[axis]) / 2);
    const geometry = new THREE.BoxGeometry(...size);
    const mesh = new THREE.Mesh(geometry, new THREE.MeshLambertMaterial({
      color: colour, polygonOffset: true, polygonOffsetFactor: 1, polygonOffsetUnits: 1,
    }));
    mesh.position.set(...middle);
    this.add(mesh, userData);
    const edges = new THREE.LineSegments(
      new THREE.EdgesGeometry(geometry), new THREE.LineBasicMaterial({ color: edgeColour }));
    edges.position.set(...middle);
    this.add(edges);
    return { size, middle, mesh, edges };
  }

  /** Width, height, centre and normal of the face that looks along `facing`, moved out by `gap`. */
  face(box, direction, gap) {
    const normal = NORMALS[direction] ?? NORMALS["+y"];
    const axis = normal[0] ? 0 : 1;
    const centre = box.lo.map((value, a) => (value + box.hi[a]) / 2);
    centre[axis] = (normal[axis] > 0 ? box.hi[axis] : box.lo[axis]) + gap * normal[axis];
    return { width: box.hi[1 - axis] - box.lo[1 - axis], height: box.hi[2] - box.lo[2], centre, normal };
  }

  rack(box) {
    const p = this.palette;
    const { edges, middle } = this.solid(box, p.rack, p.rackEdge, { kind: "rack", name: box.name });
    const front = this.face(box, box.facing, 0.006);
    const units = Math.max(1, Math.round(front.height / RACK_UNIT));
    const door = canvasTexture(128, 1024, (pen) => {
      pen.fillStyle = "#fff";
      pen.fillRect(0, 0, 128, 1024);
      pen.fillStyle = p.unit;
      for (let u = 0; u <= units; u += 1) pen.fillRect(12, (u * 1024) / units - 2, 104, 4);
      pen.fillStyle = "rgba(10,14,20,0.55)";
      pen.fillRect(0, 0, 10, 1024);
      pen.fillRect(118, 0, 10, 1024);
      pen.fillRect(0, 0, 128, 14);
      pen.fillRect(0, 1010, 128, 14);
      pen.fillRect(104, 470, 6, 90);
    });
    const zones = ZONES.map((name, i) => {
      const material = new THREE.MeshLambertMaterial({ color: p.unknown, map: door.clone() });
      material.map.repeat.set(1, 1 / 3);
      material.map.offset.set(0, i / 3);
      const centre = [...front.centre];
      centre[2] = box.lo[2] + ((i + 0.5) * front.height) / 3;
      return this.add(facing(front.width, front.height / 3, centre, front.normal, material),
        { kind: "rack", name: box.name, zone: name });
    });
    const back = this.face(box, box.facing, 0);
    const rear = back.normal.map((value) => -value);
    const axis = rear[0] ? 0 : 1;
    back.centre[axis] = (rear[axis] > 0 ? box.hi[axis] : box.lo[axis]) + 0.006 * rear[axis];
    const grille = canvasTexture(64, 256, (pen) => {
      pen.fillStyle = "#3a4552";
      pen.fillRect(0, 0, 64, 256);
      pen.fillStyle = "#161c24";
      for (let y = 6; y < 250; y += 6) for (let x = 5; x < 60; x += 6) pen.fillRect(x, y, 3, 3);
    });
    this.add(facing(back.width, back.height, back.centre, rear, new THREE.MeshLambertMaterial({ map: grille })),
      { kind: "rack", name: box.name, zone: "rear" });
    const halo = new THREE.LineSegments(
      new THREE.EdgesGeometry(new THREE.BoxGeometry(
        ...box.lo.map((value, a) => box.hi[a] - value + 0.05))),
      new THREE.LineBasicMaterial({ color: p.selected, depthTest: false, transparent: true }));
    halo.position.set(...middle);
    halo.visible = false;
    halo.renderOrder = 5;
    this.add(halo);
    const rim = [...front.centre];
    const outward = front.normal[0] ? 0 : 1;
    rim[outward] -= 0.07 * front.normal[outward];
    rim[2] = box.hi[2] + 0.008;
    const span = [0.12, 0.12, 0];
    span[1 - outward] = front.width - 0.06;
    const strip = this.add(facing(span[0], span[1], rim, [0, 0, 1], new THREE.MeshBasicMaterial({ color: p.unknown })));
    this.racks.set(box.name, { box, zones, strip, edges, halo, normal: front.normal });
    this.anchors.push({ name: box.name, kind: "rack", at: [middle[0], middle[1], box.hi[2] + 0.08] });
  }

  /** A power and cooling module in its rack: its plates show on the front and the rear, at its height. */
  racklet(box) {
    const middle = box.lo.map((value, a) => (value + box.hi[a]) / 2);
    const home = this.scene.boxes.find((other) => other.kind === "rack" &&
      middle.every((value, a) => value > other.lo[a] && value < other.hi[a]));
    if (!home) return;
    const front = this.face(home, home.facing, 0.012);
    const rear = this.face({ ...home }, { "+x": "-x", "-x": "+x", "+y": "-y", "-y": "+y" }[home.facing] ?? "-y", 0.012);
    const height = box.hi[2] - box.lo[2];
    const plate = canvasTexture(512, 128, (pen) => {
      pen.fillStyle = "#1a222c";
      pen.fillRect(0, 0, 512, 128);
      pen.strokeStyle = "#9fb3c8";
      pen.lineWidth = 8;
      pen.strokeRect(4, 4, 504, 120);
      pen.fillStyle = "#c9d6e3";
      pen.font = "600 56px sans-serif";
      pen.textBaseline = "middle";
      pen.fillText(box.name, 34, 68);
      for (let x = 230; x < 440; x += 28) pen.fillRect(x, 34, 12, 60);
      pen.fillStyle = "#58d6a9";
      pen.fillRect(456, 50, 26, 26);
    });
    for (const side of [front, rear]) {
      side.centre[2] = middle[2];
      this.add(facing(side.width - 0.04, height, side.centre, side.normal, new THREE.MeshLambertMaterial({ map: plate })),
        { kind: "rack", name: home.name, zone: `racklet ${box.name}` });
    }
  }

  cooler(box) {
    const p = this.palette;
    const { middle } = this.solid(box, p.cooler, p.coolerEdge, { kind: "cooler", name: box.name });
    const front = this.face(box, box.facing, 0.006);
    const panel = canvasTexture(512, 512, (pen) => {
      pen.fillStyle = "#eef2f5";
      pen.fillRect(0, 0, 512, 512);
      pen.strokeStyle = "#a9b5c1";
      pen.lineWidth = 5;
      for (const x of [8, 174, 340]) pen.strokeRect(x, 10, 160, 492);
      pen.fillStyle = "#c4ced8";
      for (let y = 330; y < 490; y += 16) for (const x of [24, 190, 356]) pen.fillRect(x, y, 128, 8);
      pen.fillStyle = "#1d6fd1";
      pen.fillRect(8, 60, 492, 12);
      pen.fillStyle = "#24313f";
      pen.fillRect(208, 110, 96, 62);
      pen.fillStyle = "#58d6a9";
      pen.fillRect(220, 122, 46, 10);
    });
    this.add(facing(front.width, front.height, front.centre, front.normal,
      new THREE.MeshLambertMaterial({ map: panel })), { kind: "cooler", name: box.name });
    const [width, depth] = [box.hi[0] - box.lo[0], box.hi[1] - box.lo[1]];
    const fans = Math.max(1, Math.min(4, Math.round(Math.max(width, depth) / 0.8)));
    const top = canvasTexture(256 * fans, 256, (pen) => {
      pen.fillStyle = "#dfe6ec";
      pen.fillRect(0, 0, 256 * fans, 256);
      for (let i = 0; i < fans; i += 1) {
        pen.translate(256 * i + 128, 128);
        pen.fillStyle = "#1b242e";
        pen.beginPath();
        pen.arc(0, 0, 104, 0, 2 * Math.PI);
        pen.fill();
        pen.fillStyle = "#66788a";
        for (let blade = 0; blade < 7; blade += 1) {
          pen.rotate((2 * Math.PI) / 7);
          pen.beginPath();
          pen.ellipse(58, 12, 44, 17, 0.5, 0, 2 * Math.PI);
          pen.fill();
        }
        pen.beginPath();
        pen.arc(0, 0, 24, 0, 2 * Math.PI);
        pen.fill();
        pen.setTransform(1, 0, 0, 1, 0, 0);
      }
    });
    const lid = new THREE.Mesh(new THREE.PlaneGeometry(Math.max(width, depth), Math.min(width, depth)),
      new THREE.MeshLambertMaterial({ map: top }));
    lid.position.set(middle[0], middle[1], box.hi[2] + 0.006);
    if (depth > width) lid.rotation.z = Math.PI / 2;
    this.add(lid, { kind: "cooler", name: box.name });
    this.coolers.set(box.name, { box });
    this.anchors.push({ name: box.name, kind: "cooler", at: [middle[0], middle[1], box.hi[2] + 0.08] });
  }

  tile(box) {
    const p = this.palette;
    this.tileTexture ??= canvasTexture(128, 128, (pen) => {
      pen.fillStyle = p.tile;
      pen.fillRect(0, 0, 128, 128);
      pen.fillStyle = p.tileHole;
      for (let x = 14; x < 118; x += 13) for (let y = 14; y < 118; y += 13) pen.fillRect(x, y, 7, 7);
      pen.strokeStyle = "#4aa3ff";
      pen.lineWidth = 5;
      pen.strokeRect(2, 2, 124, 124);
    });
    const middle = box.lo.map((value, axis) => (value + box.hi[axis]) / 2);
    middle[2] = box.hi[2] + 0.008;
    this.add(facing(box.hi[0] - box.lo[0], box.hi[1] - box.lo[1], middle, [0, 0, 1],
      new THREE.MeshLambertMaterial({ map: this.tileTexture })), { kind: "tile", name: box.name });
  }

  panel(box) {
    const size = box.lo.map((value, axis) => Math.max(0.012, box.hi[axis] - value));
    const geometry = new THREE.BoxGeometry(...size);
    const mesh = new THREE.Mesh(geometry, new THREE.MeshBasicMaterial({
      color: this.palette.panel, transparent: true, opacity: 0.16, depthWrite: false, side: THREE.DoubleSide,
    }));
    mesh.position.set(...box.lo.map((value, axis) => (value + box.hi[axis]) / 2));
    mesh.renderOrder = 4;
    this.add(mesh);
    const edges = new THREE.LineSegments(new THREE.EdgesGeometry(geometry),
      new THREE.LineBasicMaterial({ color: this.palette.panel, transparent: true, opacity: 0.7 }));
    edges.position.copy(mesh.position);
    this.add(edges);
  }

  block(box) {
    this.solid(box, this.palette.obstacle, this.palette.edge, { kind: "obstacle", name: box.name });
  }

  /** Colour the thirds of every rack's front, and the strip on its top by the worst of them. */
  paintRacks(bands) {
    for (const [name, { zones, strip }] of this.racks) {
      const worst = ["over", "allowable", "below", "recommended"].find((band) => bands[name]?.includes(band));
      strip.material.color.setHex(this.palette.bands[worst] ?? this.palette.unknown);
      zones.forEach((zone, i) => {
        zone.material.color.setHex(this.palette.bands[bands[name]?.[i]] ?? this.palette.unknown);
      });
    }
  }

  select(name) {
    for (const [rack, { halo }] of this.racks) halo.visible = rack === name;
  }

  /** Where one stands in the cold aisle, and what one looks at. */
  aisleView() {
    const fronts = [...this.racks.values()].map(({ box, normal }) => {
      const centre = box.lo.map((value, axis) => (value + box.hi[axis]) / 2);
      return centre.map((value, axis) => value + normal[axis] * (0.5 * (box.hi[axis] - box.lo[axis]) + 0.6));
    });
    if (!fronts.length) return null;
    const mean = [0, 1].map((axis) => fronts.reduce((sum, front) => sum + front[axis], 0) / fronts.length);
    const along = [...this.racks.values()][0].normal[0] ? 1 : 0;
    const ends = fronts.map((front) => front[along]);
    const position = [mean[0], mean[1], this.floorHeight + 1.65];
    const target = [mean[0], mean[1], this.floorHeight + 1.05];
    const across = 1 - along;
    const behind = this.scene.boxes // what stands at the aisle's end, and would be in one's eye
      .filter((box) => ["cooler", "obstacle", "wall"].includes(box.kind) && box.hi[along] < Math.min(...ends) &&
        box.lo[across] < mean[across] && box.hi[across] > mean[across])
      .map((box) => box.hi[along] + 0.15);
    position[along] = Math.max(Math.min(...ends) - 2.4, this.scene.lo[along] + 0.2, ...behind);
    target[along] = Math.max(...ends);
    return { position, target, along, end: Math.max(...ends) + 0.32 };
  }
}
