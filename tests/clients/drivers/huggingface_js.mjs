// @huggingface/inference 2.x, 3.x, 4.x: `request` and `streamingRequest`. Speaks as talk.py does.
// Arguments: the folder whose node_modules hold the client.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { readFileSync } from "node:fs";

const folder = process.argv[2];
const client = createRequire(`${folder}/`)("@huggingface/inference");
const { version } = JSON.parse(readFileSync(`${folder}/node_modules/@huggingface/inference/package.json`, "utf8"));
const major = Number(version.split(".")[0]);
console.log = console.warn = console.error; // standard output is for answers

function parameters(ask) {
  const own = {
    seed: { do_sample: true, seed: ask.seed },
    stop: { stop: ask.stop },
    grammar: { grammar: { type: "regex", value: ask.regex } },
    "grammar-json": { grammar: { type: "json", value: ask.schema } },
    validation: { truncate: ask.truncate },
    details: { details: true },
    "stream-details": { details: true },
  }[ask.action];
  return { max_new_tokens: ask.max_new_tokens, ...own };
}

const place = (ask) => (major < 3 ? { model: ask.url } : { endpointUrl: ask.url });
const asked = (ask) => ({ ...place(ask), inputs: ask.prompt, parameters: parameters(ask) });
const once = { retry_on_error: false }; // a 503 is otherwise asked again, by 3.x and 4.x without end

function shown(details) {
  const { finish_reason, generated_tokens, seed } = details ?? {};
  return details ? { finish_reason, generated_tokens, seed } : {};
}

async function generate(ask, options = once) {
  const reply = await client.request(asked(ask), options);
  const first = Array.isArray(reply) ? reply[0] : reply;
  const ids = first.details?.tokens.map((token) => token.id);
  return { text: first.generated_text, ids, details: shown(first.details) };
}

async function stream(ask) {
  const events = [];
  for await (const event of client.streamingRequest(asked(ask), once)) {
    if (!event.token.special) ask.pieces.push(event.token.text);
    events.push(event);
  }
  const last = events.at(-1);
  const ids = events.map((event) => event.token.id);
  return { pieces: ask.pieces, ids, text: last?.generated_text, details: shown(last?.details) };
}

// what the typed function of this version calls
async function typed(ask) {
  const reply = await client.textGeneration({ ...place(ask), inputs: ask.prompt, parameters: parameters(ask) }, once);
  return { text: reply.generated_text };
}

async function chat(ask) {
  const messages = [{ role: "user", content: ask.prompt }];
  const reply = await client.chatCompletion({ ...place(ask), messages, max_tokens: ask.max_new_tokens }, once);
  return { text: reply.choices[0].message.content };
}

const actions = {
  plain: generate, details: generate, seed: generate, stop: generate, grammar: generate, "grammar-json": generate, validation: generate, loading: generate,
  stream, "stream-details": stream, "old-frames": stream, end: stream, "mid-stream-error": stream,
  wait: (ask) => generate(ask, {}), // asks again after a 503, 2.x with x-wait-for-model
  newer: major < 4 ? chat : typed,
};

const say = (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`);
say({ versions: { "@huggingface/inference": version, node: process.versions.node } });
for await (const line of createInterface({ input: process.stdin })) {
  const ask = { ...JSON.parse(line), pieces: [] };
  try {
    say(await actions[ask.action](ask));
  } catch (error) {
    say({ error: { type: error.constructor.name, message: error.message }, pieces: ask.pieces });
  }
}
