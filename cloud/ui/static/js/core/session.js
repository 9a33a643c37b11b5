// Who is signed in; what every page does before it shows anything.
import { call, get, put } from "./api.js";
import { loadLanguage, preferredLanguage } from "./i18n.js";
import { forget, remember } from "./memory.js";
import { setClock } from "./time.js";

const CONSOLE_ROLES = ["operator", "administrator"];
const PHONE_ROLES = ["volunteer", "grid-worker"];
const INSTALL_ROLES = ["installer", "administrator"];

/** The session, or null when signed out; languages and clock are set. */
export async function begin() {
  const [session] = await Promise.all([current(), loadLanguage(preferredLanguage())]);
  if (session) await adopt(session);
  return session;
}

/** Take over a session's language and clock. */
export async function adopt(session) {
  setClock(session.time_zone, session.server_time);
  if (session.person.language !== document.documentElement.lang) await loadLanguage(session.person.language);
}

/** The page for the person's roles. */
export function homeOf(session) {
  if (mayUseConsole(session)) return "/console";
  return mayInstall(session) && !mayUsePhone(session) ? "/install" : "/phone";
}

const holds = (session, roles) => session.roles.some(({ role }) => roles.includes(role));
export const mayUseConsole = (session) => holds(session, CONSOLE_ROLES);
export const mayInstall = (session) => holds(session, INSTALL_ROLES);
export const mayUsePhone = (session) => holds(session, PHONE_ROLES);

/** From now on in this language, here and in messages. */
export async function changeLanguage(language) {
  await loadLanguage(language);
  await put("/session/language", { language }).catch(() => null);
}

/** Sign out here, and forget what was kept for the dead spot. */
export async function signOut() {
  await call("DELETE", "/session").catch(() => null);
  for (const key of ["phone.me", "phone.session", "outbox"]) forget(key);
  remember("signed-out", true);
  location.assign("/in");
}

async function current() {
  try {
    return await get("/session");
  } catch (error) {
    if (error.status === 401) return null;
    throw error;
  }
}
