// What follows from the state: rows of the queue, counts, what is wrong where. Pure.
import { SEVERITIES, compareAlarms, worst } from "../core/severity.js";

/** Alarms of one incident are one row, under its worst: `{alarm, alarms, incident}`. A power cut is one row, not five hundred. */
export function queueRows({ alarms, incidents, queue, severity }) {
  const byIncident = new Map(incidents.map((incident) => [incident.id, incident]));
  const groups = new Map();
  for (const alarm of alarms) {
    if ((alarm.response === "device") !== (queue === "device")) continue;
    const key = alarm.incident_id ?? `alarm-${alarm.id}`;
    if (groups.has(key)) groups.get(key).alarms.push(alarm);
    else groups.set(key, { alarm, alarms: [alarm], incident: byIncident.get(alarm.incident_id) ?? null });
  }
  const rows = [...groups.values()].map((row) => ({ ...row, severity: row.incident?.severity ?? row.alarm.severity }));
  const shown = severity ? rows.filter((row) => row.severity === severity) : rows;
  return shown.sort((a, b) => compareAlarms(head(a), head(b)));
}

const head = ({ alarm, severity, alarms }) => ({ ...alarm, severity, acknowledged: alarms.every((one) => one.acknowledged) });

/** Nobody has answered although the target has passed. */
export function isLate({ alarm, incident }, at) {
  if (!alarm.target_at || !alarm.active || at < Date.parse(alarm.target_at)) return false;
  const people = incident?.people ?? {};
  const coming = (people.accepted ?? 0) + (people.on_the_way ?? 0) + (people.on_scene ?? 0) + (people.done ?? 0);
  return coming === 0 && !(alarm.acknowledged && !incident?.task);
}

/** Open incidents of people's queue per severity, alarms not acknowledged, people on duty, alarms per queue. */
export function counts({ incidents, alarms, responders }) {
  const open = Object.fromEntries(SEVERITIES.map((severity) => [severity, 0]));
  for (const incident of incidents) if (incident.response !== "device") open[incident.severity] += 1;
  const unacknowledged = alarms.filter((alarm) => !alarm.acknowledged && alarm.response !== "device").length;
  const onDuty = responders.filter((one) => one.status !== "off-duty").length;
  const queues = { people: 0, device: 0 };
  const seen = new Set();
  for (const alarm of alarms) {
    const key = alarm.incident_id ?? `alarm-${alarm.id}`;
    if (!seen.has(key)) queues[alarm.response === "device" ? "device" : "people"] += 1;
    seen.add(key);
  }
  return { open, unacknowledged, onDuty, queues };
}

/** Path of a place → the worst severity open there or below. Device faults do not colour the map of people in danger. */
export function worstByPath(incidents) {
  const found = new Map();
  for (const { place, severity, response } of incidents) {
    if (!place || response === "device") continue;
    const steps = place.path.split("/");
    for (let n = 1; n <= steps.length; n++) {
      const path = steps.slice(0, n).join("/");
      found.set(path, worst([severity, found.get(path)].filter(Boolean)));
    }
  }
  return found;
}

/** Device id → the worst open alarm of that device. */
export function alarmsByDevice(alarms) {
  const found = new Map();
  for (const alarm of alarms) {
    if (alarm.active && !(found.get(alarm.device.id)?.severity <= alarm.severity)) found.set(alarm.device.id, alarm);
  }
  return found;
}

/** Order of responders: whoever does something first. */
export const STATUS_ORDER = ["on-scene", "on-the-way", "accepted", "offered", "free", "off-duty"];
