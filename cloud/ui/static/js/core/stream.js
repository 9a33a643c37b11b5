// The live stream (server-sent events, WHATWG HTML section 9.2) over fetch: unlike EventSource it sees the comment that
// comes every 10 s, so that a silent link is noticed, and the status of a refused connection.

const SILENCE_MS = 25000;
const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 15000;

/**
 * Listen until `close()`. `on.event(kind, data)` gets each event once and in order; a reconnect goes on after the last one.
 * `on.state("live" | "lost")`, `on.signedOut()`; a `reset` event means: load everything again.
 */
export function openStream(on, after = null) {
  let last = after;
  let attempt = 0;
  let closed = false;
  let controller = null;
  let timer = null;

  async function connect() {
    controller = new AbortController();
    const watch = watchdog(() => controller.abort());
    try {
      const query = last === null ? "" : `?after=${last}`;
      const response = await fetch(`/api/v1/stream${query}`, { signal: controller.signal, cache: "no-store" });
      if (response.status === 401) {
        closed = true;
        on.signedOut();
        return;
      }
      if (!response.ok || !response.body) throw new Error(String(response.status));
      await read(response.body, watch);
    } catch {
      // Every way to end is followed by the same retry.
    } finally {
      watch.stop();
    }
    if (closed) return;
    on.state("lost");
    timer = setTimeout(connect, delay());
  }

  async function read(body, watch) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      watch.feed();
      const blocks = (rest + value.replaceAll("\r\n", "\n")).split("\n\n");
      rest = blocks.pop();
      for (const block of blocks) take(parse(block));
    }
  }

  function take({ id, kind, data }) {
    if (kind === null) return;
    if (kind === "hello") {
      attempt = 0;
      if (last === null) last = data.newest;
      on.state("live");
    } else {
      if (id !== null) last = id;
      on.event(kind, data);
    }
  }

  function delay() {
    const longest = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** attempt++);
    return longest / 2 + (Math.random() * longest) / 2;
  }

  function retryNow() {
    if (closed || timer === null) return;
    clearTimeout(timer);
    timer = null;
    attempt = 0;
    connect();
  }

  const drop = () => controller?.abort();
  addEventListener("online", retryNow);
  addEventListener("offline", drop);
  connect();
  return {
    close() {
      closed = true;
      removeEventListener("online", retryNow);
      removeEventListener("offline", drop);
      clearTimeout(timer);
      drop();
    },
  };
}

function watchdog(bark) {
  let timer = setTimeout(bark, SILENCE_MS);
  return {
    feed() {
      clearTimeout(timer);
      timer = setTimeout(bark, SILENCE_MS);
    },
    stop: () => clearTimeout(timer),
  };
}

/** One block of lines as `{id, kind, data}`; `kind` is null for comments. */
export function parse(block) {
  const event = { id: null, kind: null, data: null };
  const lines = [];
  for (const line of block.split("\n")) {
    const [, field, value] = /^(\w+): ?(.*)$/.exec(line) ?? [];
    if (field === "id") event.id = Number(value);
    if (field === "event") event.kind = value;
    if (field === "data") lines.push(value);
  }
  if (event.kind !== null) event.data = lines.length ? JSON.parse(lines.join("\n")) : {};
  return event;
}
