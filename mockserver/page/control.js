// What is said to /_mock/...: JSON there and back; a refusal is an Error with the server's own sentence.

// A server that was started with --control-token is asked with the token that the user gives, once for this tab.

const TOKEN = "control-token";
let asked = false;

function askForToken() {
  const given = asked ? null : window.prompt("This server wants its control token");
  asked = true;
  if (given) sessionStorage.setItem(TOKEN, given);
  return Boolean(given);
}

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
  if (response.status === 401 && askForToken()) return control(path, { method, body });
  const told = await response.json().catch(() => ({ error: `The server answered ${response.status}, and no JSON` }));
  if (!response.ok) throw new Error(told.error);
  return told;
}
