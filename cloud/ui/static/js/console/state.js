// What the command centre knows, kept current by the live stream.
import { get } from "../core/api.js";
import { t, word } from "../core/i18n.js";
import { recall, remember } from "../core/memory.js";
import { createStore } from "../core/store.js";
import { compareAlarms } from "../core/severity.js";
import { openStream } from "../core/stream.js";
import { now } from "../core/time.js";

const DEVICES_EVERY_MS = 15000;
const SETTLE_MS = 60;
/** A number that was read back leaves the gateway with its next flush. */
const READ_BACK_MS = 3000;
const SEEN = "losses";

export const store = createStore({
  session: null,
  overview: null,
  alarms: [],
  incidents: [],
  recent: [],
  places: [],
  grids: [],
  responders: [],
  devices: [],
  commands: {},
  configured: null,
  configurationChanges: 0,
  setChanges: 0,
  losses: 0,
  lost: false,
  lag: null,
  selected: null,
  detail: null,
  focusPlace: null,
  queue: "people",
  severity: null,
  stream: "connecting",
  lostAt: null,
  loadedAt: null,
  fresh: new Set(),
  announcement: "",
  notice: null,
  panel: null,
  form: null,
});

let stream = null;
const settled = { detail: null, overview: null, recent: null, devices: null };
const COMMAND_STATES = ["queued", "sent", "expired", "refused", "done"];
const rank = ({ state }) => COMMAND_STATES.indexOf(state);

/** Load everything, then follow the stream from there. */
export async function start() {
  await load();
  stream = openStream({ event: hear, state: streamState, signedOut: () => location.assign("/in") }, store.get().overview.newest);
  setInterval(() => document.visibilityState === "visible" && refresh("devices"), DEVICES_EVERY_MS);
}

/** Everything at once: at the start, and when the stream says that it cannot go on from where we are. */
export async function load() {
  const overview = await get("/overview");
  const [alarms, incidents, places, grids, responders, devices, recent] = await Promise.all(
    ["/alarms", "/incidents?open=true", "/places", "/grids", "/responders", "/devices", "/incidents?open=false"].map(get),
  );
  store.set({
    ...standing(overview),
    overview, alarms: alarms.sort(compareAlarms), incidents, places, grids, responders, devices,
    recent: closedOnes(recent), loadedAt: now(),
  });
  if (store.get().selected !== null) loadDetail();
}

/** Show an incident on the right; null shows the overview. */
export function select(incidentId) {
  if (store.get().selected === incidentId) return;
  store.set({ selected: incidentId, detail: null, form: null });
  if (incidentId !== null) loadDetail();
}

/** Show a device's panel. */
export const openDevice = (id) => store.set({ panel: { device: id } });

/** Show a gateway's configuration. */
export const openConfiguration = (gateway) => store.set({ panel: "configuration", configured: gateway });

/** Take the answer of an action. */
export function takeDetail(detail) {
  if (store.get().selected === detail.id) store.set({ detail });
  store.set(({ incidents }) => ({ incidents: put(incidents, detail, (row) => row.closed_at === null) }));
}

export function takeAlarm(alarm) {
  store.set(({ alarms }) => ({ alarms: put(alarms, alarm, isOpen).sort(compareAlarms) }));
}

/** The newest command of a device; the answer to a tap may come after what the stream said later. */
export function takeCommand(command) {
  store.set(({ commands }) => {
    const known = commands[command.device_id];
    const isOld = known && (known.id === command.id ? rank(known) > rank(command) : known.created_at > command.created_at);
    return isOld ? {} : { commands: { ...commands, [command.device_id]: command } };
  });
  if (command.state !== "done") return;
  soon("devices", () => refresh("devices"));
  setTimeout(() => refresh("devices"), READ_BACK_MS);
}

/** Say something short at the bottom; it goes away by itself. */
export function notify(text, bad = false) {
  const notice = { text, bad };
  store.set({ notice });
  setTimeout(() => store.get().notice === notice && store.set({ notice: null }), bad ? 8000 : 4000);
}

/** Who comes later sees, too, that the cloud lags and what is missing; what this person looked at is no news. */
function standing({ lag, losses }) {
  return { lag, lost: (losses.newest ?? 0) > (recall(SEEN) ?? 0) };
}

/** The losses that stand were looked at. */
export async function seenLosses() {
  store.set({ lost: false });
  const { losses } = await get("/overview").catch(() => store.get().overview);
  if (losses.newest) remember(SEEN, losses.newest);
}

async function loadDetail() {
  const id = store.get().selected;
  if (id === null) return;
  try {
    const detail = await get(`/incidents/${id}`);
    if (store.get().selected === id) store.set({ detail });
  } catch (error) {
    if (error.status === 404 && store.get().selected === id) select(null);
  }
}

async function refresh(what) {
  try {
    const found = await get(`/${what}`);
    store.set({ [what]: found, ...(what === "overview" ? standing(found) : {}) });
  } catch {
    // The stream says when the service is away; the next round tries again.
  }
}

async function refreshRecent() {
  const recent = await get("/incidents?open=false").catch(() => null);
  if (recent) store.set({ recent: closedOnes(recent) });
}

function streamState(state) {
  const before = store.get().stream;
  store.set({ stream: state, lostAt: state === "lost" ? (before === "lost" ? store.get().lostAt : now()) : null });
}

function hear(kind, data) {
  HEARD[kind]?.(data);
}

const HEARD = {
  alarm(alarm) {
    const isNew = !store.get().alarms.some((known) => known.id === alarm.id);
    takeAlarm(alarm);
    if (isNew && isOpen(alarm)) announce(alarm);
    if (alarm.incident_id === store.get().selected) soon("detail", loadDetail);
  },
  incident(incident) {
    store.set(({ incidents }) => ({ incidents: put(incidents, incident, (row) => row.closed_at === null) }));
    if (incident.id === store.get().selected) soon("detail", loadDetail);
    if (incident.closed_at !== null) soon("recent", refreshRecent);
  },
  responder(row) {
    store.set(({ responders }) => ({ responders: put(responders, row, () => true, (one) => one.person.id) }));
  },
  gateway({ code, online }) {
    store.set(({ devices, configurationChanges }) => ({
      devices: devices.map((one) => (one.gateway.code === code ? { ...one, gateway: { ...one.gateway, online } } : one)),
      configurationChanges: configurationChanges + 1,
    }));
    soon("overview", () => refresh("overview"));
  },
  device({ id, online }) {
    store.set(({ devices }) => ({ devices: devices.map((one) => (one.id === id ? { ...one, online } : one)) }));
    soon("overview", () => refresh("overview"));
  },
  command: takeCommand,
  configuration: () => store.set(({ configurationChanges }) => ({ configurationChanges: configurationChanges + 1 })),
  set: () => store.set(({ setChanges }) => ({ setChanges: setChanges + 1 })),
  loss({ kind, gateway, lane, count, reason }) {
    const isLost = kind === "delivery.lost";
    store.set(({ losses, lost }) => ({ losses: losses + 1, lost: lost || isLost }));
    const told = { count, gateway: gateway?.code ?? "", lane: word("cloud.lane", lane), reason: word("cloud.loss", reason) };
    notify(t(`cloud.loss.${isLost ? "lost" : "arrived"}`, told), isLost);
  },
  lag({ late, seconds }) {
    store.set({ lag: late ? seconds : null });
    notify(t(`cloud.lag.${late ? "late" : "in-time"}`, { seconds }), late);
  },
  reset: () => load().catch(() => null),
};

function announce(alarm) {
  store.set(({ fresh }) => ({ fresh: new Set(fresh).add(alarm.id) }));
  setTimeout(() => {
    store.set(({ fresh }) => ({ fresh: new Set([...fresh].filter((id) => id !== alarm.id)) }));
  }, 2500);
  if (alarm.severity === "P1") store.set({ announcement: alarm });
}

/** Several events of one commit lead to one call. */
function soon(what, act) {
  clearTimeout(settled[what]);
  settled[what] = setTimeout(act, SETTLE_MS);
}

const isOpen = (alarm) => alarm.active || !alarm.acknowledged;
const closedOnes = (incidents) => incidents.filter((one) => one.closed_at !== null).slice(0, 60);

function put(rows, row, keep, key = (one) => one.id) {
  const others = rows.filter((one) => key(one) !== key(row));
  if (!keep(row)) return others;
  const at = rows.findIndex((one) => key(one) === key(row));
  if (at < 0) return [...others, row];
  return [...others.slice(0, at), row, ...others.slice(at)];
}
