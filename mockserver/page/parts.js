// Small parts that the others share. Text goes in as text, never as HTML.

export const get = (id) => document.getElementById(id);

/** An element: make("p", {class: "soft", title: "..."}, "text", child). `on...` are listeners; null and false leave out. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** A note with text, or hidden when there is nothing to say. */
export function say(element, text) {
  element.hidden = !text;
  element.textContent = text || "";
}

/** What of a JSON Schema bounds a value, in words. */
export function bounds(schema) {
  const low = schema.minimum ?? schema.exclusiveMinimum;
  const words = [];
  if (low !== undefined) words.push(`${schema.minimum === undefined ? ">" : "≥"} ${low}`);
  // JavaScript's numbers are too coarse for the largest bounds
  if (schema.maximum > Number.MAX_SAFE_INTEGER) words.push(`< 2^${Math.round(Math.log2(schema.maximum))}`);
  else if (schema.maximum !== undefined) words.push(`≤ ${schema.maximum}`);
  if (schema.maxItems !== undefined) words.push(`at most ${schema.maxItems}`);
  if (schema.default !== undefined) words.push(`else ${schema.default}`);
  return words.join(", ");
}

/** Text whose `quoted` parts are code. */
export const withCode = (text) => text.split("`").map((part, place) => (place % 2 ? make("code", {}, part) : part));

export function short(text, length = 120) {
  const characters = [...text];
  return characters.length > length ? `${characters.slice(0, length - 1).join("")}…` : text;
}

export const percent = (logprob) => {
  const share = Math.exp(logprob) * 100;
  return share >= 99.95 ? "100 %" : share >= 1 ? `${share.toFixed(1)} %` : share >= 0.01 ? `${share.toFixed(2)} %` : "< 0.01 %";
};
