// Faults: all of them as buttons, and those that wait for their requests.

import { control } from "./control.js";
import { get, make, say } from "./parts.js";

export function buildFaults(about) {
  const groups = { "On the network: no statement is broken, but clients have it hard": [], "Against the contract, each with the statement that it breaks": [] };
  const [network, contract] = Object.values(groups);
  for (const fault of about.faults) (fault.statement ? contract : network).push(fault);
  for (const [title, faults] of Object.entries(groups)) {
    get("fault-list").append(make("section", {}, make("h3", {}, title), make("ul", {}, ...faults.map(rowOf))));
  }
  get("fault-find").addEventListener("input", narrow);
  get("disarm").addEventListener("click", () => said(() => control("faults", { method: "DELETE" })));
}

/** Say again which faults wait. */
export const lookAtFaults = () => said(() => control("faults"));

function rowOf(fault) {
  const words = `${fault.name} ${fault.statement} ${fault.sentence}`.toLowerCase();
  return make("li", { "data-words": words }, make("button", { type: "button", class: "fault", onclick: () => arm(fault.name) },
    make("code", {}, fault.name), make("span", {}, fault.sentence), fault.statement ? make("small", { class: "soft" }, fault.statement) : null));
}

function arm(name) {
  const times = get("fault-times").value;
  said(() => control("faults", { method: "POST", body: times ? { name, times: Number(times) } : { name } }));
}

function narrow() {
  const wanted = get("fault-find").value.toLowerCase();
  for (const row of get("fault-list").querySelectorAll("li")) row.hidden = !row.dataset.words.includes(wanted);
  for (const section of get("fault-list").children) section.hidden = !section.querySelector("li:not([hidden])");
}

async function said(speak) {
  try {
    const armed = await speak();
    say(get("fault-trouble"), "");
    get("armed").replaceChildren(...armed.map((each) => make("li", { class: "chip bad" }, `${each.name} ${each.left === null ? "always" : `×${each.left}`}`)));
    get("armed-count").textContent = armed.length || "";
    get("disarm").hidden = armed.length === 0;
  } catch (error) {
    say(get("fault-trouble"), error.message);
  }
}
