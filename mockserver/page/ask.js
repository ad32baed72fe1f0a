// The request: a form made from the OpenAPI document. Only what was filled in is sent; what is out of bounds is sent too, and refused.

import { bounds, get, make, withCode } from "./parts.js";

const INTEGER = /^-?\d+$/;
const NUMBER = /^-?\d*\.?\d+(e[-+]?\d+)?$/i;

const PRESETS = {
  Greedy: { max_new_tokens: 20, details: true, top_n_tokens: 5 },
  Sampled: { max_new_tokens: 20, details: true, top_n_tokens: 5, do_sample: true, temperature: 1.3, top_p: 0.95, seed: 7 },
  "A stop": { max_new_tokens: 60, details: true, stop: ["."] },
  "As JSON": {
    max_new_tokens: 60, details: true, top_n_tokens: 5,
    grammar: { type: "json", value: { type: "object", properties: { name: { type: "string" }, age: { type: "integer" } }, required: ["name", "age"] } },
  },
  "Out of bounds": { top_p: 1.5 },
};

/** The fields by name; each has `said()`, JSON text or null, and `fill(value)`. */
const fields = new Map();
const headers = new Map();

export function buildForm(document, about) {
  const schemas = document.components.schemas;
  for (const [name, schema] of Object.entries(schemas.Parameters.properties)) {
    const field = makeField(name, schema);
    fields.set(name, field);
    get("parameters").append(field.element);
  }
  for (const header of Object.values(document.components.parameters)) {
    const field = makeField(header.name, { ...header.schema, description: header.description });
    headers.set(header.name, field);
    get("headers").append(field.element);
  }
  const token = textField("authorization", { description: "A token, where the server asks for one" }, "Bearer hf_***");
  headers.set("authorization", token);
  const fault = textField("x-mock-fault", { description: "Break this one answer: NAME[@PROBABILITY][;times=N][;after=N]" }, "stream-cut");
  headers.set("x-mock-fault", fault);
  get("headers").append(token.element, fault.element);

  for (const model of about.models) get("address").append(make("option", { value: `models/${model}` }, `/models/${model}`));
  for (const path of ["", "generate", "generate_stream"]) get("address").append(make("option", { value: path }, `/${path}`));
  for (const [name, parameters] of Object.entries(PRESETS)) {
    get("presets").append(make("button", { type: "button", onclick: () => fillParameters(parameters) }, name));
  }
  fillParameters(PRESETS.Greedy);
  get("request").addEventListener("input", told);
  get("copy").addEventListener("click", () => navigator.clipboard.writeText(get("command").textContent));
}

/** The address, the headers and the JSON text of the request as the form has it. */
export function currentRequest() {
  const said = [...fields].map(([name, field]) => [name, field.said()]).filter(([, text]) => text !== null);
  const members = [`"inputs": ${JSON.stringify(get("inputs").value)}`];
  if (said.length) members.push(`"parameters": {${said.map(([name, text]) => `"${name}": ${text}`).join(", ")}}`);
  if (get("stream").checked) members.push('"stream": true');
  const sent = { "content-type": "application/json" };
  for (const [name, field] of headers) {
    const text = field.said();
    if (text !== null) sent[name] = text.startsWith('"') ? JSON.parse(text) : text;
  }
  return { address: get("address").value, headers: sent, body: `{${members.join(", ")}}`, count: said.length };
}

/** Fill the form with a body that was sent before. */
export function fillRequest(path, body) {
  const address = path.replace(/^\//, "");
  if ([...get("address").options].some((option) => option.value === address)) get("address").value = address;
  get("inputs").value = typeof body?.inputs === "string" ? body.inputs : "";
  get("stream").checked = body?.stream === true;
  fillParameters(body?.parameters ?? {});
}

function fillParameters(parameters) {
  for (const [name, field] of fields) field.fill(parameters[name] ?? null);
  told();
}

/** Say beside the form what it comes to. */
function told() {
  const request = currentRequest();
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const lines = Object.entries(request.headers).map(([name, value]) => `-H ${quoted(`${name}: ${value}`)}`);
  const url = new URL(request.address || ".", window.location.href);
  get("command").textContent = [`curl -N ${quoted(url.href)}`, ...lines, `-d ${quoted(request.body)}`].join(" \\\n  ");
  get("given").textContent = request.count === 1 ? "1 given" : `${request.count} given`;
  for (const field of fields.values()) field.element.classList.toggle("filled", field.said() !== null);
}

// ---------------------------------------------------------------- fields

function makeField(name, schema) {
  const types = [schema.type ?? "grammar"].flat();
  if (types.includes("boolean")) return choiceField(name, schema);
  if (types.includes("array")) return listField(name, schema);
  if (types.includes("grammar")) return grammarField(name, schema);
  return types.includes("string") ? textField(name, schema) : numberField(name, schema, types.includes("integer") ? INTEGER : NUMBER);
}

function frame(name, schema, ...controls) {
  const hint = bounds(schema);
  const description = [schema.description, hint && `(${hint})`].filter(Boolean).join(" ");
  controls.forEach((control, place) => {
    control.setAttribute("aria-label", place ? `${name}, its value` : name);
    control.setAttribute("aria-describedby", `about-${name}`);
  });
  return make("div", { class: controls.some((control) => control.tagName === "TEXTAREA") ? "field wide" : "field", "data-name": name }, make("code", {}, name), ...controls, make("small", { id: `about-${name}` }, ...withCode(description)));
}

function choiceField(name, schema) {
  const control = make("select", {}, ...["", "true", "false"].map((value) => make("option", { value }, value || "not said")));
  return {
    element: frame(name, schema, control),
    said: () => control.value || null,
    fill: (value) => { control.value = value === null ? "" : String(value); },
  };
}

function numberField(name, schema, form) {
  const control = make("input", { inputmode: "decimal", spellcheck: "false", placeholder: "not said" });
  const isRight = (text) => {
    const value = Number(text);
    return form.test(text) && !(value < schema.minimum || value > schema.maximum || value <= schema.exclusiveMinimum);
  };
  const mark = () => control.setAttribute("aria-invalid", String(control.value.trim() !== "" && !isRight(control.value.trim())));
  control.addEventListener("input", mark);
  return {
    element: frame(name, schema, control),
    // an integer goes as it is written: JavaScript's own numbers would bend a seed of 64 bits
    said: () => {
      const text = control.value.trim();
      if (text === "") return null;
      return INTEGER.test(text) && !/^-?0\d/.test(text) ? text : NUMBER.test(text) ? JSON.stringify(Number(text)) : JSON.stringify(text);
    },
    fill: (value) => { control.value = value === null ? "" : typeof value === "object" ? JSON.stringify(value) : String(value); mark(); },
  };
}

function textField(name, schema, placeholder = "not said") {
  const control = make("input", { spellcheck: "false", placeholder });
  return {
    element: frame(name, schema, control),
    said: () => (control.value === "" ? null : JSON.stringify(control.value)),
    fill: (value) => { control.value = value ?? ""; },
  };
}

function listField(name, schema) {
  const control = make("textarea", { rows: "2", spellcheck: "false", placeholder: "not said; one a line" });
  return {
    element: frame(name, schema, control),
    said: () => (control.value === "" ? null : JSON.stringify(control.value.split("\n").filter((line) => line !== ""))),
    fill: (value) => { control.value = Array.isArray(value) ? value.join("\n") : ""; },
  };
}

function grammarField(name, schema) {
  const kind = make("select", {}, ...["", "json", "regex"].map((value) => make("option", { value }, value || "not said")));
  const control = make("textarea", { rows: "3", spellcheck: "false", hidden: true });
  const look = () => {
    control.hidden = kind.value === "";
    control.placeholder = kind.value === "json" ? '{"type": "object"}' : "[a-z]+";
  };
  kind.addEventListener("change", look);
  const value = () => {
    if (kind.value === "regex") return control.value;
    try { return JSON.parse(control.value); } catch { return control.value; }
  };
  return {
    element: frame(name, schema, kind, control),
    said: () => (kind.value === "" ? null : JSON.stringify({ type: kind.value, value: value() })),
    fill: (grammar) => {
      kind.value = grammar?.type ?? "";
      control.value = grammar === null ? "" : typeof grammar.value === "string" ? grammar.value : JSON.stringify(grammar.value);
      look();
    },
  };
}
