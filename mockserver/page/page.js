// The page: fetches what it shows, then lets each part build itself.

import { buildAnswer, send, stop } from "./answer.js";
import { buildForm, currentRequest } from "./ask.js";
import { control, useToken } from "./control.js";
import { buildFaults, lookAtFaults } from "./faults.js";
import { buildJournal, look } from "./journal.js";
import { get, make, say } from "./parts.js";
import { buildRoutes } from "./routes.js";
import { buildTabs } from "./tabs.js";
import { buildTold, lookAtRules } from "./told.js";

const lookAround = () => Promise.all([look(), lookAtRules(), lookAtFaults()]);

const isNarrow = () => window.matchMedia("(max-width: 60rem)").matches;

async function submit(about) {
  if (isNarrow()) get("answer").scrollIntoView();
  await send(currentRequest());
  if (about.control) await lookAround();
}

async function build() {
  const [document_, about] = await Promise.all(["openapi.json", "docs/desk.json"].map((path) => fetch(path).then((response) => response.json())));
  get("about").textContent = `A fake of the text-generation API, to develop against. Version ${about.version}, ${about.dialect} dialect.`;
  buildForm(document_, about);
  buildAnswer();
  buildTabs();
  buildRoutes(document_);
  get("request").addEventListener("submit", (event) => { event.preventDefault(); submit(about); });
  get("request").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit(about);
  });
  get("stop").addEventListener("click", stop);
  if (isNarrow()) get("more").open = false;
  if (about.control) {
    buildTold(about);
    buildFaults(about);
    buildJournal();
    get("key").addEventListener("submit", (event) => {
      event.preventDefault();
      useToken(get("key-token").value);
      lookAround();
    });
    get("reset").addEventListener("click", async () => {
      await control("reset", { method: "POST" }).catch((error) => say(get("said"), error.message));
      await lookAround();
    });
    get("tab-told").addEventListener("click", lookAtRules);
    get("tab-faults").addEventListener("click", lookAtFaults);
    await lookAround();
  } else {
    get("desk").replaceChildren(make("p", { class: "soft" }, "The server was started with --no-control: no journal, no told answers, no faults at run time."));
  }
  document.body.dataset.ready = "true";
}

build().catch((error) => say(get("said"), `The page could not be built: ${error.message}`));
