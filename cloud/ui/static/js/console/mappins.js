// Incidents and people on the map. Pins that would lie upon each other are one: the worst, with a count.
import L from "../../vendor/leaflet.module.js";
import { named, t, word } from "../core/i18n.js";
import { SHAPES, worst } from "../core/severity.js";

const TOGETHER_PX = 40;
const SPREAD_FROM_ZOOM = 19;
const SVG = "http://www.w3.org/2000/svg";

/** `update(state)` draws; it is called again by itself when the zoom changes. */
export function createPins(map, choose) {
  const shown = new Map();
  const lines = L.layerGroup().addTo(map);
  let state = null;
  let freshIncidents = new Set();
  map.on("zoomend", () => state && draw());

  function update(wanted) {
    if (!map._loaded) return;
    state = wanted;
    freshIncidents = new Set(state.alarms.filter((one) => state.fresh.has(one.id)).map((one) => one.incident_id));
    draw();
  }

  function draw() {
    const wanted = new Map([...incidentPins(), ...peoplePins()].map((pin) => [pin.key, pin]));
    for (const [key, marker] of shown) {
      if (wanted.has(key)) continue;
      marker.remove();
      shown.delete(key);
    }
    for (const [key, pin] of wanted) {
      const marker = shown.get(key);
      if (marker) marker.setLatLng(pin.at);
      else shown.set(key, addMarker(pin));
    }
    drawLines();
  }

  function incidentPins() {
    const placed = state.incidents.filter((one) => one.lat !== null && one.response !== "device");
    return cluster(map, placed).flatMap((group) => {
      if (group.length > 1 && map.getZoom() >= SPREAD_FROM_ZOOM) return spread(map, group).map(([one, at]) => incidentPin([one], at));
      return [incidentPin(group, [group[0].lat, group[0].lon])];
    });
  }

  function incidentPin(group, at) {
    const severity = worst(group.map((one) => one.severity));
    const lead = group.find((one) => one.severity === severity);
    const chosen = group.some((one) => one.id === state.selected);
    const acknowledged = group.every((one) => one.acknowledged);
    const isFresh = group.some((one) => freshIncidents.has(one.id));
    const key = `i${group.map((one) => one.id).join(",")}-${severity}-${acknowledged}-${chosen}-${isFresh}-${document.documentElement.lang}`;
    const classes = ["pin", severity, acknowledged ? "outline" : "filled", chosen && "chosen", isFresh && "fresh"];
    return { key, at, z: chosen ? 900 : 500 - Number(severity[1]) * 10, title: pinTitle(group), onClick: () => pressed(group, lead), element: () => pinElement(classes, severity, group) };
  }

  function pressed(group, lead) {
    choose(lead.id);
    if (group.length > 1) map.fitBounds(L.latLngBounds(group.map((one) => [one.lat, one.lon])).pad(0.3), { maxZoom: SPREAD_FROM_ZOOM });
  }

  function peoplePins() {
    const there = state.responders.filter((one) => one.lat !== null);
    return there.map((one) => ({
      key: `p${one.person.id}-${one.status}-${document.documentElement.lang}`,
      at: [one.lat, one.lon],
      z: 0,
      title: `${named(one.person.name)} · ${word("cloud.state", one.status)}`,
      element: () => personElement(one),
    }));
  }

  /** Who comes to the selected incident, and from where. */
  function drawLines() {
    lines.clearLayers();
    const incident = state.incidents.find((one) => one.id === state.selected);
    if (!incident || incident.lat === null) return;
    for (const one of state.responders) {
      if (one.incident_id !== incident.id || one.lat === null || one.status === "on-scene") continue;
      lines.addLayer(L.polyline([[one.lat, one.lon], [incident.lat, incident.lon]], { className: "way", interactive: false }));
    }
  }

  function addMarker({ at, z, title, onClick, element }) {
    const icon = L.divIcon({ className: "", html: element(), iconSize: [0, 0] });
    const marker = L.marker(at, { icon, keyboard: Boolean(onClick), zIndexOffset: z, title, alt: title, interactive: true });
    if (onClick) marker.on("click", onClick);
    return marker.addTo(map);
  }
  return { update };
}

/** Groups of incidents that lie within `TOGETHER_PX` of the group's first on the screen. */
function cluster(map, incidents) {
  const groups = [];
  for (const one of [...incidents].sort((a, b) => a.severity.localeCompare(b.severity) || a.id - b.id)) {
    const point = map.latLngToLayerPoint([one.lat, one.lon]);
    const near = groups.find((group) => group.point.distanceTo(point) < TOGETHER_PX);
    if (near) near.members.push(one);
    else groups.push({ point, members: [one] });
  }
  return groups.map((group) => group.members);
}

/** Close by, incidents of one spot stand in a circle around it. */
function spread(map, group) {
  const centre = map.latLngToLayerPoint([group[0].lat, group[0].lon]);
  const radius = 16 + 6 * group.length;
  return group.map((one, n) => {
    const turn = (2 * Math.PI * n) / group.length - Math.PI / 2;
    return [one, map.layerPointToLatLng(centre.add([radius * Math.cos(turn), radius * Math.sin(turn)]))];
  });
}

function pinTitle(group) {
  const told = group.slice(0, 5).map((one) => `${one.severity} ${word("cloud.rule", one.kind)} · ${named(one.place?.full_name)}`);
  if (group.length > 5) told.push(t("ui.map.more", { n: group.length - 5 }));
  return told.join("\n");
}

function pinElement(classes, severity, group) {
  const pin = document.createElement("span");
  pin.className = classes.filter(Boolean).join(" ");
  pin.dataset.pin = group.map((one) => one.id).join(" ");
  pin.dataset.severity = severity;
  const svg = pin.appendChild(document.createElementNS(SVG, "svg"));
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.appendChild(document.createElementNS(SVG, "path")).setAttribute("d", SHAPES[severity]);
  if (group.length > 1) pin.appendChild(document.createElement("b")).textContent = String(group.length);
  return pin;
}

function personElement({ person, status }) {
  const tag = document.createElement("span");
  tag.className = `person ${status}`;
  tag.textContent = initials(named(person.name));
  return tag;
}

/** 李明 → 李, Li Ming → LM. */
const initials = (name) => (/^[\x20-\x7e]+$/.test(name) ? name.split(/\s+/).map((part) => part[0]).join("").slice(0, 2) : name.slice(0, 1));
