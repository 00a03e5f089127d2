// Asking the daemon.

const KEY = "larum.token";

/** What the daemon said no to. */
export class Refused extends Error {
  constructor(status, answer) {
    super(answer?.error ?? `HTTP ${status}`);
    this.status = status;
    this.hint = answer?.hint ?? "";
  }
}

/** The daemon does not answer. */
export class Lost extends Error {}

async function ask(where, options) {
  try {
    return await fetch(where, options);
  } catch (error) {
    throw error.name === "AbortError" ? error : new Lost(error.message);
  }
}

export function token() {
  return sessionStorage.getItem(KEY) ?? "";
}

export function setToken(secret) {
  if (secret) sessionStorage.setItem(KEY, secret);
  else sessionStorage.removeItem(KEY);
}

function headers(more) {
  const secret = token();
  return secret ? { ...more, authorization: `Bearer ${secret}` } : more;
}

async function answer(response) {
  const body = await response.json().catch(() => null);
  if (!response.ok) {
    if (response.status === 401) window.dispatchEvent(new Event("larum-token"));
    throw new Refused(response.status, body);
  }
  return body;
}

function path(route, query) {
  const asked = new URLSearchParams();
  for (const [name, text] of Object.entries(query ?? {})) if (text !== "" && text !== null && text !== undefined) asked.set(name, text);
  const search = asked.toString();
  return `/api/v1/${route}${search ? `?${search}` : ""}`;
}

export async function get(route, query, signal) {
  return answer(await ask(path(route, query), { headers: headers({ accept: "application/json" }), signal }));
}

async function send(method, route, body) {
  const options = { method, headers: headers({ "content-type": "application/json" }), body: JSON.stringify(body ?? {}) };
  return answer(await ask(path(route), options));
}

export const post = (route, body) => send("POST", route, body);
export const remove = (route, body) => send("DELETE", route, body);

/**
 * Follows what happens until `signal`; `told(event, data)` hears of each event, and `alive()` of each sign of life. Ends when
 * the connection is lost.
 * (An EventSource cannot show a token.)
 */
export async function follow(told, alive, signal) {
  const response = await ask(path("events"), { headers: headers({ accept: "text/event-stream" }), signal });
  if (!response.ok) await answer(response);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    alive();
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      let [event, data] = ["message", ""];
      for (const line of part.split("\n")) {
        if (line.startsWith("event: ")) event = line.slice(7);
        else if (line.startsWith("data: ")) data += line.slice(6);
      }
      if (data) told(event, JSON.parse(data));
    }
  }
}
