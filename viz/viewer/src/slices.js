// Slice planes x, y, z: quads painted with the temperature where they stand.
import * as THREE from "three";
import { FieldPaint } from "./paint.js";

const OPACITY = 0.86;

export class Slices {
  constructor(shown) {
    this.group = new THREE.Group();
    this.paint = new FieldPaint(shown, OPACITY);
    this.planes = [0, 1, 2].map((axis) => {
      const plane = new THREE.Mesh(new THREE.PlaneGeometry(1, 1), this.paint.material);
      plane.userData = { kind: "slice", axis };
      plane.visible = false;
      plane.renderOrder = 2;
      this.group.add(plane);
      return plane;
    });
    this.hasField = false;
    this.wanted = [false, false, false];
  }

  /** Fit the planes to the room. */
  setRoom(low, high) {
    this.low = low;
    this.high = high;
    const extent = low.map((value, axis) => high[axis] - value);
    this.paint.setExtent(low, high);
    const middle = low.map((value, axis) => value + extent[axis] / 2);
    this.planes.forEach((plane, axis) => {
      const [a, b] = [[1, 2], [0, 2], [0, 1]][axis];
      plane.geometry.dispose();
      const geometry = new THREE.BufferGeometry();
      const corners = [[0, 0], [1, 0], [1, 1], [0, 1]].flatMap(([s, t]) => {
        const corner = [0, 0, 0];
        corner[a] = low[a] + s * extent[a];
        corner[b] = low[b] + t * extent[b];
        return corner;
      });
      geometry.setAttribute("position", new THREE.Float32BufferAttribute(corners, 3));
      geometry.setIndex([0, 1, 2, 0, 2, 3]);
      plane.geometry = geometry;
      plane.position.setComponent(axis, middle[axis]);
    });
  }

  setField(shape, data, stored) {
    this.paint.setField(shape, data, stored);
    this.hasField = true;
    this.refresh();
  }

  show(axis, visible) {
    this.wanted[axis] = visible;
    this.refresh();
  }

  move(axis, place) {
    this.planes[axis].position.setComponent(axis, place);
  }

  refresh() {
    this.planes.forEach((plane, axis) => {
      plane.visible = this.hasField && this.wanted[axis];
    });
  }
}
