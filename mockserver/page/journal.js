// What was asked, newest first, and what there is to say against the client. It looks once a second while somebody looks at it.

import { fillRequest } from "./ask.js";
import { control } from "./control.js";
import { get, make, say, short } from "./parts.js";
import { prepareRule } from "./told.js";

const LAST = 50;
const PAUSE = 1000;

const known = new Map();
let paused = false;

export function buildJournal() {
  get("find").addEventListener("input", narrow);
  get("pause").addEventListener("click", () => {
    paused = !paused;
    get("pause").setAttribute("aria-pressed", String(paused));
    get("pause").querySelector("span").textContent = paused ? "paused" : "live";
    if (!paused) look();
  });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
  watch();
}

async function watch() {
  if (!paused && !document.hidden) await look();
  setTimeout(watch, PAUSE);
}

/** Fetch the journal and show what is new. */
export async function look() {
  try {
    const [entries, findings] = await Promise.all([control(`requests?last=${LAST}`), control("verdict")]);
    get("pause").classList.remove("lost");
    say(get("said"), "");
    show(entries);
    get("verdict").replaceChildren(...findings.map(findingOf));
  } catch (error) {
    get("pause").classList.add("lost");
    say(get("said"), get("key").hidden ? error.message : "");
  }
}

function show(entries) {
  const numbers = new Set(entries.map((entry) => entry.number));
  for (const [number, row] of known) {
    if (numbers.has(number)) continue;
    row.element.remove();
    known.delete(number);
  }
  for (const entry of entries) {
    const text = JSON.stringify(entry);
    const before = known.get(entry.number);
    if (before?.text === text) continue;
    const element = rowOf(entry);
    if (before) {
      element.firstChild.open = before.element.firstChild.open;
      before.element.replaceWith(element);
    } else get("entries").prepend(element);
    known.set(entry.number, { element, text });
  }
  get("count").textContent = entries.length ? (entries.length === LAST ? `${LAST}+` : String(entries.length)) : "";
  get("nothing").hidden = entries.length > 0;
  narrow();
}

function narrow() {
  const wanted = get("find").value.toLowerCase();
  for (const { element, text } of known.values()) element.hidden = !text.toLowerCase().includes(wanted);
}

function rowOf(entry) {
  const status = entry.status ?? "…";
  const prompt = typeof entry.body?.inputs === "string" ? entry.body.inputs : entry.body === null ? "" : JSON.stringify(entry.body);
  const marks = [entry.rule, ...entry.faults, entry.scope && `scope ${entry.scope}`].filter(Boolean);
  const time = new Date(entry.time * 1000);
  return make("li", { "data-number": entry.number }, make("details", {},
    make("summary", {},
      make("span", { class: `status s${String(status)[0]}` }, String(status)),
      make("span", { class: "what" }, make("span", { class: "prompt" }, short(prompt) || entry.path), ...marks.map((mark) => make("span", { class: "chip" }, mark))),
      make("time", { class: "soft", datetime: Number.isNaN(time.valueOf()) ? null : time.toISOString() }, time.toLocaleTimeString())),
    make("div", { class: "inside" },
      make("p", {}, make("code", {}, `${entry.method} ${entry.path}`), entry.note && ` ${entry.note}`),
      make("p", { class: "line" },
        make("button", { type: "button", onclick: () => fillRequest(entry.path, entry.body) }, "Put into the form"),
        typeof entry.body?.inputs === "string" && entry.body.inputs ? make("button", { type: "button", onclick: () => prepareRule(entry.body.inputs) }, "Tell the answer to this") : null),
      make("pre", { tabindex: "0", "aria-label": "body" }, JSON.stringify(entry.body, null, 2)),
      make("pre", { class: "soft", tabindex: "0", "aria-label": "headers" }, Object.entries(entry.headers).map(([name, value]) => `${name}: ${value}`).join("\n")))));
}

const findingOf = (finding) => make("li", { class: "note warn" }, make("b", {}, finding.name), ` ${finding.sentence} (request ${finding.requests.join(", ")}).`);
