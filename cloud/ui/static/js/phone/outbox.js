// Actions that wait for the network. Each carries a UUID made here: however often it is sent, it counts once.
import { actionId, call } from "../core/api.js";
import { recall, remember } from "../core/memory.js";

const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 30000;
const MOST = 100;

/**
 * `add(item)`, `flush()`. Items are sent in order, one at a time, and survive a closed page. `on.changed(items)` after every change,
 * `on.answered(item, answer)`, `on.refused(item, error)` when the service says no for good, `on.signedOut()`.
 */
export function createOutbox(on) {
  let items = recall("outbox", []);
  let sending = false;
  let timer = null;
  let failures = 0;
  addEventListener("online", () => flush());
  queueMicrotask(() => on.changed(items));

  function add({ body = {}, plain = false, ...item }) {
    const whole = { ...item, id: actionId(), at: Date.now(), tries: 0 };
    whole.body = plain ? body : { ...body, action_id: whole.id };
    const others = plain ? items.filter((one) => one.path !== item.path || one.tries === 0) : items;
    keep([...others, whole].slice(-MOST));
    flush();
  }

  async function flush() {
    if (sending) return;
    sending = true;
    clearTimeout(timer);
    try {
      while (items.length) {
        if (!(await send(items[0]))) break;
      }
    } finally {
      sending = false;
    }
  }

  /** Whether the next one may be sent. */
  async function send(item) {
    try {
      const answer = await call(item.method, item.path, item.body);
      failures = 0;
      keep(items.filter((one) => one.id !== item.id));
      on.answered(item, answer);
      return true;
    } catch (error) {
      if (error.status === 401) {
        on.signedOut();
        return false;
      }
      if (!error.isTemporary) {
        keep(items.filter((one) => one.id !== item.id));
        on.refused(item, error);
        return true;
      }
      keep(items.map((one) => (one.id === item.id ? { ...one, tries: one.tries + 1 } : one)));
      const longest = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** failures++);
      timer = setTimeout(flush, longest / 2 + (Math.random() * longest) / 2);
      return false;
    }
  }

  function keep(next) {
    items = next;
    remember("outbox", items);
    on.changed(items);
  }
  return { add, flush };
}
