// What is said to /_mock/...: JSON there and back; a refusal is an Error with the server's own sentence.

export async function control(path, { method = "GET", body } = {}) {
  const options = { method, headers: {} };
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
  const told = await response.json().catch(() => ({ error: `The server answered ${response.status}, and no JSON` }));
  if (!response.ok) throw new Error(told.error);
  return told;
}
