// What is said to /_mock/...: JSON there and back; a refusal is an Error with the server's own sentence.

import { get } from "./parts.js";

const TOKEN = "control-token";

/** Send the token that a server with --control-token asks for; this tab keeps it. */
export const useToken = (token) => sessionStorage.setItem(TOKEN, token);

export async function control(path, { method = "GET", body } = {}) {
  const options = { method, headers: {} };
  const token = sessionStorage.getItem(TOKEN);
  if (token) options.headers.authorization = `Bearer ${token}`;
  if (body !== undefined) {
    options.headers["content-type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(`_mock/${path}`, options);
  } catch {
    throw new Error("The server does not answer");
  }
  get("key").hidden = response.status !== 401;
  const told = await response.json().catch(() => ({ error: `The server answered ${response.status}, and no JSON` }));
  if (!response.ok) throw new Error(told.error);
  return told;
}
