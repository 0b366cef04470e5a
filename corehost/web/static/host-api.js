/* Asks the host's API in the name of who is signed in. */

/* Resolves to the JSON of the answer, null if it has none; rejects with what the host says, `faults` naming each field. */
export async function ask(method, path, body) {
  const headers = { Accept: "application/json", "X-CSRF-Token": document.querySelector('meta[name="csrf-token"]').content };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const said = answer.status === 204 ? null : await answer.json();
  if (!answer.ok) throw Object.assign(new Error(said.detail ?? said.title), { faults: said.errors ?? [] });
  return said;
}
