// What the server answers to: the paths of the OpenAPI document, and those of the desk.

import { get, make, withCode } from "./parts.js";

const DESK = [
  ["GET", "/_mock/requests", "What was asked, newest last; filters: model, prompt, contains, path, method, status, rule, scope, last"],
  ["POST", "/_mock/scripts", 'Tell answers: {"rules": [{"prompt": "ping", "reply": "pong"}]}; GET lists, DELETE forgets them'],
  ["POST", "/_mock/faults", 'Break the next requests: {"name": NAME, "times": N}; GET lists, DELETE takes them away'],
  ["GET", "/_mock/verdict", "What there is to say against the client"],
  ["POST", "/_mock/reset", "Forget requests, told answers and faults"],
  ["GET", "/_mock/models", 'Which models are loaded; POST /_mock/models/{id} {"state": "cold"} changes it'],
];

export function buildRoutes(document) {
  const rows = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, row]) => [method.toUpperCase(), path, row.summary ?? ""]));
  const table = (caption, lines) => make("table", {}, make("caption", {}, caption), make("tbody", {},
    ...lines.map(([method, path, summary]) => make("tr", {}, make("td", {}, make("code", {}, method)), make("td", {}, make("code", {}, path)), make("td", {}, ...withCode(summary))))));
  get("routes").append(table("The API", rows), table("The desk", DESK));
}
