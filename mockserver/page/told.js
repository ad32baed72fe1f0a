// Told answers: a rule from a few fields, the rules that hold, and what is wrong with the script file.

import { control } from "./control.js";
import { get, make, say } from "./parts.js";
import { openTab } from "./tabs.js";

const PLACEHOLDERS = { text: "pong", template: "You said: {{ prompt | truncate(20) }}", error: "Model is overloaded", model: "" };

export function buildTold(about) {
  for (const fault of about.faults.filter((each) => !each.statement)) get("rule-fault").append(make("option", { value: fault.name }, fault.name));
  for (const id of ["rule-kind", "rule-reply"]) get(id).addEventListener("change", fit);
  get("forget").addEventListener("click", () => said(() => control("scripts", { method: "DELETE" })));
  get("rule").addEventListener("submit", (event) => {
    event.preventDefault();
    said(async () => {
      const rules = await control("scripts", { method: "POST", body: { rules: [rule()] } });
      get("rule-prompt").value = get("rule-text").value = "";
      return rules;
    });
  });
  fit();
}

/** Say again which rules hold. */
export const lookAtRules = () => said(() => control("scripts"));

/** Begin a rule for a prompt that was asked. */
export function prepareRule(prompt) {
  get("rule-kind").value = "exact";
  get("rule-prompt").value = prompt;
  fit();
  openTab("told");
  get("rule-text").focus();
}

function fit() {
  const kind = get("rule-reply").value;
  get("rule-prompt").disabled = get("rule-kind").value === "any";
  get("rule-text").disabled = kind === "model";
  get("rule-text").placeholder = PLACEHOLDERS[kind];
  get("rule-status-field").hidden = kind !== "error";
}

/** The rule as the fields have it; what is wrong with it is for the server to say. */
function rule() {
  const kind = get("rule-kind").value, answer = get("rule-reply").value, text = get("rule-text").value;
  const made = {};
  if (kind !== "any") made.prompt = { [kind]: get("rule-prompt").value };
  made.reply = { text: { text }, template: { template: text }, model: { model: true } }[answer] ?? { error: { status: number("rule-status"), message: text } };
  if (get("rule-delay").value) made.reply.delay = number("rule-delay");
  if (get("rule-times").value) made.times = number("rule-times");
  if (get("rule-fault").value) made.reply.fault = get("rule-fault").value;
  return made;
}

const number = (id) => (/^\d+(\.\d+)?$/.test(get(id).value.trim()) ? Number(get(id).value) : get(id).value);

async function said(speak) {
  try {
    const { rules, words, error } = await speak();
    say(get("rule-trouble"), "");
    say(get("file-trouble"), error && `The script file was changed, but the last good one is kept: ${error}`);
    get("rules").replaceChildren(...rules.map((place, at) => make("li", {}, make("span", {}, words[at]), make("small", { class: "soft" }, place))));
    get("rules-count").textContent = rules.length || "";
    get("no-rules").hidden = rules.length > 0;
    get("forget").hidden = rules.length === 0;
  } catch (error) {
    say(get("rule-trouble"), error.message);
  }
}
