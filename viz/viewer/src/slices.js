// Slice planes x, y, z: quads whose fragments look the temperature up in the 3-D texture.
import * as THREE from "three";
import { colourTable } from "./colormap.js";

const VERTEX = `
out vec3 place;
void main() {
  vec4 world = modelMatrix * vec4(position, 1.0);
  place = world.xyz;
  gl_Position = projectionMatrix * viewMatrix * world;
}`;

const FRAGMENT = `
precision highp float;
precision highp sampler3D;
uniform sampler3D field;
uniform sampler2D scale;
uniform vec3 low, extent;
uniform vec2 stored, shown;
uniform float opacity;
in vec3 place;
out vec4 colour;
void main() {
  float degrees = mix(stored.x, stored.y, texture(field, (place - low) / extent).r);
  float at = clamp((degrees - shown.x) / (shown.y - shown.x), 0.0, 1.0);
  colour = vec4(texture(scale, vec2(at * 255.0 / 256.0 + 0.5 / 256.0, 0.5)).rgb, opacity);
}`;

function makeTexture(shape, data) {
  const texture = new THREE.Data3DTexture(data, ...shape);
  Object.assign(texture, {
    format: THREE.RedFormat,
    type: THREE.UnsignedByteType,
    minFilter: THREE.LinearFilter,
    magFilter: THREE.LinearFilter,
    unpackAlignment: 1,
    needsUpdate: true,
  });
  return texture;
}

export class Slices {
  constructor(shown) {
    this.group = new THREE.Group();
    const scale = new THREE.DataTexture(colourTable(), 256, 1);
    scale.magFilter = THREE.LinearFilter;
    scale.needsUpdate = true;
    this.uniforms = {
      field: { value: makeTexture([2, 2, 2], new Uint8Array(8)) },
      scale: { value: scale },
      low: { value: new THREE.Vector3() },
      extent: { value: new THREE.Vector3(1, 1, 1) },
      stored: { value: new THREE.Vector2(5, 55) },
      shown: { value: new THREE.Vector2(...shown) },
      opacity: { value: 0.86 },
    };
    const material = new THREE.ShaderMaterial({
      glslVersion: THREE.GLSL3,
      vertexShader: VERTEX,
      fragmentShader: FRAGMENT,
      uniforms: this.uniforms,
      side: THREE.DoubleSide,
      transparent: true,
    });
    this.planes = [0, 1, 2].map((axis) => {
      const plane = new THREE.Mesh(new THREE.PlaneGeometry(1, 1), material);
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
    this.uniforms.low.value.set(...low);
    this.uniforms.extent.value.set(...extent);
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
    const texture = this.uniforms.field.value;
    const { width, height, depth } = texture.image;
    if (width === shape[0] && height === shape[1] && depth === shape[2]) {
      texture.image.data = data;
      texture.needsUpdate = true;
    } else {
      texture.dispose();
      this.uniforms.field.value = makeTexture(shape, data);
    }
    this.uniforms.stored.value.set(...stored);
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
