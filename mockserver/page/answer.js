// The answer as it comes: tokens shaded by how likely they were, what else each could have been, and what went wrong.

import { get, make, percent, say } from "./parts.js";

const DOUBTS = [0.8, 0.5, 0.2, 0.05, 0.01];
const LONGEST_RAW = 200_000;

let going = null;
let shown = [];
let noted = 0;

/** Send a request and show what comes back. Another one that is under way is left. */
export async function send(request) {
  stop();
  const mine = new AbortController();
  going = mine;
  clear();
  get("stop").hidden = false;
  const began = performance.now();
  const figures = { first: null, tokens: 0 };
  const isCurrent = () => going === mine;
  try {
    const response = await fetch(request.address || "./", { method: "POST", headers: request.headers, body: request.body, signal: mine.signal });
    note(`${response.status} ${response.statusText}\n${[...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n")}\n\n`);
    outcome(`${response.status} ${response.statusText}`, response.ok);
    const isStream = (response.headers.get("content-type") ?? "").startsWith("text/event-stream");
    if (isStream) await readStream(response, figures, began, isCurrent);
    else readWhole(response, await response.text(), figures, began);
  } catch (error) {
    if (mine.signal.aborted) trouble("Stopped", "You stopped it here.");
    else trouble("Broken off", `The connection broke: ${error.message}. What stands above is not the whole answer.`);
  }
  if (!isCurrent()) return;
  going = null;
  get("stop").hidden = true;
  tellFigures(figures, performance.now() - began);
}

export function stop() {
  going?.abort();
}

function clear() {
  shown = [];
  noted = 0;
  get("tokens").replaceChildren();
  get("tokens").dataset.asked = "true";
  get("figures").replaceChildren();
  get("raw").textContent = "";
  get("legend").hidden = get("hint").hidden = get("tip").hidden = true;
  say(get("trouble"), "");
  outcome("asking …", true);
}

// ---------------------------------------------------------------- reading

async function readStream(response, figures, began, isCurrent) {
  let last = null;
  for await (const data of serverSentEvents(response)) {
    if (!isCurrent()) return;
    let event;
    try {
      event = JSON.parse(data);
    } catch {
      trouble("No JSON", `An event is no JSON: ${data}`);
      continue;
    }
    if (typeof event?.error === "string") {
      trouble(event.error_type ?? "error", `The stream told an error: ${event.error}`);
      outcome("200, then an error", false);
      return;
    }
    if (event?.token) addToken(event.token, event.top_tokens, figures, began);
    last = event;
  }
  if (typeof last?.generated_text !== "string") {
    outcome("200, but cut short", false);
    trouble("Cut short", "The stream ended without its last event, the one with `generated_text`.");
  } else finish(last.generated_text, last.details);
}

function readWhole(response, text, figures, began) {
  note(text);
  let told;
  try {
    told = JSON.parse(text);
  } catch {
    if (!response.ok) trouble(String(response.status), text);
    else trouble("No JSON", `The reply is no JSON: ${text}`);
    return;
  }
  const reply = Array.isArray(told) ? told[0] : told;
  if (!response.ok || typeof reply?.generated_text !== "string") {
    const wait = response.headers.get("retry-after");
    trouble(reply?.error_type ?? String(response.status), `${reply?.error ?? text}${wait ? ` (Retry-After: ${wait})` : ""}`);
    return;
  }
  const tokens = reply.details?.tokens ?? [];
  tokens.forEach((token, place) => addToken(token, reply.details.top_tokens?.[place], figures, began));
  if (!tokens.length) get("tokens").append(make("span", { class: "plain" }, reply.generated_text));
  finish(reply.generated_text, reply.details);
}

/** The data of each event, decoded by the rules of the standard: LF, CR and CRLF, comments, data of several lines. */
async function* serverSentEvents(response) {
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  let rest = "", data = [];
  for (;;) {
    const { done, value } = await reader.read();
    const piece = done ? decoder.decode() : decoder.decode(value, { stream: true });
    note(piece);
    rest += piece;
    // a CR at the end may be half of a CRLF: it waits for what follows
    const lines = rest.split(done ? /\r\n|\r|\n/ : /\r\n|\r(?!$)|\n/);
    rest = lines.pop();
    for (const line of lines) {
      if (line === "" && data.length) {
        yield data.join("\n");
        data = [];
      } else if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
    }
    if (done) return;
  }
}

function note(text) {
  if (noted < LONGEST_RAW) get("raw").append(text);
  noted += text.length;
}

// ---------------------------------------------------------------- showing

function addToken(token, top, figures, began) {
  figures.first ??= performance.now() - began;
  figures.tokens += 1;
  const text = String(token.text ?? "");
  const place = shown.length;
  const likely = Math.exp(token.logprob);
  const doubt = Number.isFinite(token.logprob) ? DOUBTS.filter((bound) => likely <= bound).length : null;
  const element = make("span", {
    role: "option",
    class: ["token", text === "" && "unseen-text", text.includes("\n") && "broken", token.special && "special"].filter(Boolean).join(" "),
    "data-doubt": doubt,
    "aria-selected": "false",
    "aria-describedby": "tip",
    "aria-label": `${text === "" ? (token.special ? "special token" : "no text yet") : text}, ${percent(token.logprob)}`,
    tabindex: place ? "-1" : "0",
  }, text === "" ? (token.special ? "end" : "·") : text);
  shown.push({ element, token, top: top ?? [] });
  get("tokens").append(element);
  get("legend").hidden = get("hint").hidden = false;
}

function finish(text, details) {
  if (shown.length === 0 && get("tokens").childNodes.length === 0) get("tokens").append(make("span", { class: "plain" }, text));
  if (details?.finish_reason) get("outcome").append(make("span", { class: "chip" }, details.finish_reason));
  if (details?.seed != null) get("outcome").append(make("span", { class: "chip" }, `seed ${details.seed}`));
}

function outcome(text, isGood) {
  get("outcome").replaceChildren(make("span", { class: isGood ? "chip good" : "chip bad" }, text.trim()));
}

function trouble(title, text) {
  get("trouble").hidden = false;
  get("trouble").replaceChildren(make("b", {}, title), " ", text);
}

function tellFigures(figures, total) {
  const rows = { tokens: figures.tokens, "first after": figures.first === null ? null : `${figures.first.toFixed(0)} ms`, total: `${total.toFixed(0)} ms` };
  if (figures.tokens > 1 && total > figures.first) rows["tokens a second"] = ((figures.tokens - 1) / (total - figures.first) * 1000).toFixed(0);
  for (const [name, value] of Object.entries(rows)) {
    if (value) get("figures").append(make("div", {}, make("dt", {}, name), make("dd", {}, String(value))));
  }
}

// ---------------------------------------------------------------- pointing

function point(place) {
  const tip = get("tip");
  shown.forEach(({ element }, each) => {
    element.setAttribute("aria-selected", String(each === place));
    element.tabIndex = each === Math.max(place, 0) ? 0 : -1;
  });
  tip.hidden = place < 0;
  if (place < 0) return;
  const { element, token, top } = shown[place];
  const rows = top.map((other) => make("tr", { class: other.id === token.id ? "chosen" : null },
    make("td", {}, make("code", {}, visible(other))), make("td", {}, percent(other.logprob)), make("td", {}, bar(other.logprob))));
  tip.replaceChildren(
    make("p", {}, make("code", { class: "large" }, visible(token)), ` ${percent(token.logprob)}`),
    make("p", { class: "soft" }, `token ${place + 1}, id ${token.id}, logprob ${Number(token.logprob).toFixed(3)}${token.special ? ", special" : ""}`),
    rows.length ? make("table", {}, make("tbody", {}, ...rows)) : make("p", { class: "soft" }, "Give top_n_tokens to see what else it could have been."),
  );
  const room = get("answer").getBoundingClientRect(), spot = element.getClientRects()[0] ?? element.getBoundingClientRect();
  tip.style.left = `${Math.max(8, Math.min(spot.left - room.left, room.width - tip.offsetWidth - 8))}px`;
  tip.style.top = `${spot.bottom - room.top + 6}px`;
}

function bar(logprob) {
  const inner = make("i");
  inner.style.width = `${Math.max(1, Math.exp(logprob) * 100)}%`;
  return make("span", { class: "bar" }, inner);
}

const visible = (token) => (token.text ? token.text.replaceAll("\n", "↵").replaceAll(" ", "␣") : token.special ? "end" : "·");

export function buildAnswer() {
  const box = get("tokens");
  const placeOf = (target) => shown.findIndex(({ element }) => element === target);
  box.addEventListener("pointerover", (event) => { if (event.pointerType !== "touch") point(placeOf(event.target)); });
  box.addEventListener("pointerleave", () => { if (!box.contains(document.activeElement)) point(-1); });
  box.addEventListener("click", (event) => { event.target.focus?.(); point(placeOf(event.target)); });
  box.addEventListener("focusin", (event) => point(placeOf(event.target)));
  box.addEventListener("focusout", () => { get("tip").hidden = true; });
  box.addEventListener("keydown", (event) => {
    const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -Infinity, End: Infinity };
    if (event.key === "Escape") get("tip").hidden = true;
    if (!(event.key in steps) || !shown.length) return;
    event.preventDefault();
    const next = Math.max(0, Math.min(shown.length - 1, placeOf(document.activeElement) + steps[event.key]));
    point(next);
    shown[next].element.focus();
  });
}
