// Calls to the service. Errors carry the server's code and its sentence in the person's language.

const TIMEOUT_MS = 15000;

/** An answer that is no success. `status` 0: the service was not reached. */
export class ApiError extends Error {
  constructor(status, code, sentence, retryAfter = null) {
    super(sentence || code);
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
  }

  /** Nothing was decided: the same call may succeed later. */
  get isTemporary() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** Call `path` below /api/v1; gives the parsed answer, throws ApiError. */
export async function call(method, path, body) {
  const headers = { "Content-Type": "application/json" };
  const options = { method, headers, credentials: "same-origin", signal: AbortSignal.timeout(TIMEOUT_MS) };
  if (body !== undefined) options.body = JSON.stringify(body);
  let response;
  let text;
  try {
    response = await fetch(`/api/v1${path}`, options);
    text = await response.text();
  } catch {
    throw new ApiError(0, "ui.error.unreachable", "");
  }
  const answer = parse(text);
  if (response.ok) return answer;
  const error = answer?.error ?? {};
  throw new ApiError(response.status, error.code ?? "ui.error.failed", error.sentence, response.headers.get("Retry-After"));
}

export const get = (path) => call("GET", path);
export const post = (path, body = {}) => call("POST", path, body);
export const put = (path, body) => call("PUT", path, body);

/** A UUID for an action: a repetition of the action carries the same one. `randomUUID` exists only under TLS and on localhost. */
export function actionId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

function parse(text) {
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return null;
  }
}
