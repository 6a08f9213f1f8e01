// Small helpers to make and change elements, and to write numbers.

/** Make an element: h("div", {class: "a", onclick: f}, child, ...). */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

/** The same for SVG. */
export function s(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) if (value != null) element.setAttribute(name, value);
  element.append(...children.filter((child) => child != null));
  return element;
}

/** Set an attribute only where it changed. */
export function setAttribute(element, name, value) {
  if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

export const byId = (id) => document.getElementById(id);

/** Set text only where it changed: the page is written twice a second. */
export function setText(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

export function setData(element, name, value) {
  if (element && element.dataset[name] !== value) element.dataset[name] = value;
}

const MISSING = "–";

export function fixed(value, digits = 1) {
  if (value == null || !Number.isFinite(value)) return MISSING;
  const text = value.toFixed(digits);
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "\u2212");
}

export const kilo = (value, digits = 1) => fixed(value == null ? NaN : value / 1000, digits);
export const litres = (value, digits = 1) => fixed(value == null ? NaN : value * 60000, digits); // m3/s -> L/min
export const percent = (value) => (value == null ? MISSING : `${fixed(100 * value, 0)}`);

/** An age in words that do not jitter: 0.4 s, 12 s, 3 min, 2 h. */
export function age(seconds) {
  if (seconds == null || !Number.isFinite(seconds)) return MISSING;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 99.5) return `${seconds.toFixed(0)} s`;
  return seconds < 5400 ? `${(seconds / 60).toFixed(0)} min` : `${(seconds / 3600).toFixed(0)} h`;
}
