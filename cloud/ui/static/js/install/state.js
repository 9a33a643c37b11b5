// What the installer's page knows: the gateways where the person installs, and one of them in full.
import { get } from "../core/api.js";
import { complaint, t } from "../core/i18n.js";
import { createStore } from "../core/store.js";
import { openStream } from "../core/stream.js";

const IDLE_MS = 15000;
const WALKING_MS = 3000;
const TOLD = ["walk-test", "waiting", "configuration", "device", "gateway", "reset"];

export const store = createStore({ session: null, gateways: null, shown: null, fault: "", places: null, stream: "connecting" });

export const pathOf = ({ group, code }) => `/gateways/${encodeURIComponent(group)}/${encodeURIComponent(code)}`;

/** The gateway that the address names, or the only one there is. */
export function chosen({ gateways }) {
  const [group, code] = location.hash.slice(1).split("/").map(readable);
  return gateways?.find((one) => one.group === group && one.code === code) ?? (gateways?.length === 1 ? gateways[0] : null);
}

/** A part of an address that somebody typed: `%` alone is a `%`. */
function readable(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Load what is shown, and keep it fresh: by the stream, and by looking again. */
export function start(session) {
  store.set({ session });
  addEventListener("hashchange", () => (store.set({ shown: null, places: null }), load()));
  openStream({
    event: (kind) => TOLD.includes(kind) && load(),
    state: (stream) => store.set({ stream }),
    signedOut: () => location.assign("/in"),
  });
  again();
}

/** Take an answer of the service that shows a gateway. */
export const show = (shown) => store.set({ shown, fault: "" });

export const fail = (error) => store.set({ fault: complaint(error) });

export async function load() {
  try {
    const gateways = await get("/gateways");
    const gateway = chosen({ gateways });
    store.set({ gateways, fault: "", shown: gateway ? await get(`${pathOf(gateway)}/installation`) : null });
  } catch (error) {
    if (error.status === 401) return location.assign("/in");
    fail(error);
  }
  return undefined;
}

/** The places of the gateway's estate, read once when somebody chooses one. */
export async function loadPlaces() {
  const { shown, places } = store.get();
  if (!shown || places) return;
  try {
    store.set({ places: (await get(`${pathOf(shown)}/places`)).places });
  } catch (error) {
    fail(error);
  }
}

async function again() {
  await load();
  document.title = t("ui.install.title");
  setTimeout(again, store.get().shown?.walk_test?.state === "running" ? WALKING_MS : IDLE_MS);
}
