// What the phone knows: what is asked of me, what I took on, what could not be sent yet.
import { get, post } from "../core/api.js";
import { complaint, t } from "../core/i18n.js";
import { recall, remember } from "../core/memory.js";
import { createStore } from "../core/store.js";
import { openStream } from "../core/stream.js";
import { createOutbox } from "./outbox.js";

const KEPT_DISMISSED = 50;

export const store = createStore({
  session: null,
  me: null,
  stream: "connecting",
  pending: [],
  dismissed: new Set(recall("phone.dismissed", [])),
  notice: null,
});

export const outbox = createOutbox({
  changed: (pending) => store.set({ pending }),
  answered,
  refused(item, error) {
    notify(t("ui.unsynced.refused", { why: complaint(error) }));
    load();
  },
  signedOut: () => location.assign("/in"),
});

/** Begin: what was kept shows first, then what the service says, then the stream. */
export function start(session) {
  const kept = recall("phone.me");
  store.set({ session, me: kept?.person.id === session.person.id ? kept : null });
  load();
  openStream({ event: hear, state: streamState, signedOut: () => location.assign("/in") });
  addEventListener("visibilitychange", () => document.visibilityState === "visible" && load());
  outbox.flush();
}

/** Ask the service for everything. */
export async function load() {
  try {
    takeMe(await get("/me"));
  } catch (error) {
    if (error.status === 401) location.assign("/in");
    if (error.status !== 0 && error.status !== 401) notify(complaint(error));
  }
}

/** An action of mine: shown at once, sent as soon as the network allows, the same `action_id` however often. */
export function doOffer(offer, act) {
  outbox.add({ method: "POST", path: `/offers/${offer.id}/${act}`, kind: act, offer: offer.id });
}

export function doStep(assignment, step, note) {
  const body = note ? { note } : {};
  outbox.add({ method: "POST", path: `/assignments/${assignment.offer_id}/${step}`, kind: step, offer: assignment.offer_id, body });
}

export function setDuty(onDuty) {
  outbox.add({ method: "PUT", path: "/me/duty", kind: "duty", body: { on_duty: onDuty }, plain: true });
}

export function dismiss(id) {
  store.set(({ dismissed }) => {
    const next = new Set([...dismissed, id].slice(-KEPT_DISMISSED));
    remember("phone.dismissed", [...next]);
    return { dismissed: next };
  });
}

/** A request is on the screen: the operator may know. */
export function tellSeen(offer) {
  post(`/offers/${offer.id}/seen`).catch(() => null);
}

export function notify(text) {
  const notice = { text };
  store.set({ notice });
  setTimeout(() => store.get().notice === notice && store.set({ notice: null }), 6000);
}

let hadHello = false;

function streamState(stream) {
  store.set({ stream });
  if (stream !== "live") return;
  // What was committed between the first answer and the first `hello` is in neither: ask once more.
  if (!hadHello) load();
  hadHello = true;
  outbox.flush();
}

function hear(kind, data) {
  if (kind === "offer") takeOffer(data);
  else if (kind === "assignment") takeAssignment(data);
  else if (kind === "reset") load();
}

function answered(item, answer) {
  if (item.kind === "duty") return takeMe(answer);
  if (answer.assignment) takeAssignment(answer.assignment);
  const states = { assigned: "accepted", taken: "late", over: "withdrawn", declined: "declined" };
  const state = states[answer.result];
  const offer = store.get().me?.offers.find((one) => one.id === item.offer);
  if (state && offer) takeOffer({ ...offer, state });
  if (answer.result === "declined") notify(t("ui.offer.thanks"));
  return undefined;
}

function takeMe(me) {
  store.set({ me });
  remember("phone.me", me);
}

function takeOffer(offer) {
  const { me } = store.get();
  if (!me) return;
  const isNew = offer.state === "offered" && !me.offers.some((one) => one.id === offer.id);
  takeMe({ ...me, offers: [offer, ...me.offers.filter((one) => one.id !== offer.id)] });
  if (isNew) navigator.vibrate?.([250, 120, 250]);
}

function takeAssignment(assignment) {
  const { me } = store.get();
  if (!me) return;
  const other = me.assignment && me.assignment.offer_id !== assignment.offer_id && me.assignment.ended_at === null;
  if (!other) takeMe({ ...me, assignment });
  if (assignment.ended_at !== null) load();
}
