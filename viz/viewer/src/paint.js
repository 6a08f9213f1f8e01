// Paints any surface with the temperature where it stands: its fragments look a 3-D texture up.
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

export class FieldPaint {
  constructor(shown, opacity) {
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
      opacity: { value: opacity },
    };
    this.material = new THREE.ShaderMaterial({
      glslVersion: THREE.GLSL3,
      vertexShader: VERTEX,
      fragmentShader: FRAGMENT,
      uniforms: this.uniforms,
      side: THREE.DoubleSide,
      transparent: opacity < 1,
    });
  }

  /** The texture fills the box low..high. */
  setExtent(low, high) {
    this.uniforms.low.value.set(...low);
    this.uniforms.extent.value.set(...low.map((value, axis) => high[axis] - value));
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
  }

  setShown(shown) {
    this.uniforms.shown.value.set(...shown);
  }
}
