// Outlines and names of places on the map; colours come from the style sheet, so that themes reach them.
import L from "../../vendor/leaflet.module.js";
import { named } from "../core/i18n.js";
import { SEVERITIES } from "../core/severity.js";

const ORDER = ["street", "community", "grid", "estate", "building"];
const NAMED_ON_TOP = new Set(["street", "community", "grid", "estate"]);

/** Draw everything anew; `shapes` becomes path → layer of outlines. */
export function drawPlaces(map, shapes, places, grids, choose) {
  for (const { layer, label } of shapes.values()) {
    layer?.remove();
    label?.remove();
  }
  shapes.clear();
  const all = [...places, ...grids.map((grid) => ({ ...grid, kind: "grid", path: `grid/${grid.code}` }))];
  const drawn = all.filter((place) => place.outline && ORDER.includes(place.kind));
  drawn.sort((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind));
  for (const place of drawn) shapes.set(place.path, outline(map, place, choose));
  for (const place of all.filter((one) => one.kind === "spot" && !one.outline && one.lat !== null)) {
    const inside = drawn.some((one) => one.kind === "building" && place.path.startsWith(`${one.path}/`));
    if (!inside) shapes.set(place.path, { place, layer: null, label: nameTag(map, place, [place.lat, place.lon]) });
  }
  const zoomed = () => (map.getContainer().dataset.zoom = level(map.getZoom()));
  if (!map.getContainer().dataset.zoom) map.on("zoomend", zoomed);
  zoomed();
}

/** Give each outline the worst severity that is open inside it. */
export function paintPlaces(shapes, worst) {
  for (const [path, { place, layer, label }] of shapes) {
    const severity = worst.get(path);
    for (const element of [layer?.getElement(), label?.getElement()]) {
      if (!element) continue;
      element.classList.remove(...SEVERITIES);
      if (severity && place.kind !== "street") element.classList.add(severity);
    }
  }
}

function outline(map, place, choose) {
  const rings = ringsOf(place.outline);
  const isGround = place.kind === "street" || place.kind === "grid";
  const layer = L.polygon(rings, { className: `place ${place.kind}`, interactive: !isGround, smoothFactor: 0.5 }).addTo(map);
  if (!isGround) layer.on("click", (event) => (L.DomEvent.stop(event), choose(place)));
  const centre = layer.getBounds().getCenter();
  const at = NAMED_ON_TOP.has(place.kind) ? [northAt(rings[0], centre.lng), centre.lng] : [layer.getBounds().getSouth(), centre.lng];
  return { place, layer, label: nameTag(map, place, at) };
}

/** The northernmost latitude of a ring at a longitude. */
function northAt(ring, lng) {
  const crossings = ring.flatMap(([lat1, lng1], n) => {
    const [lat2, lng2] = ring[(n + 1) % ring.length];
    return (lng1 - lng) * (lng2 - lng) < 0 ? [lat1 + ((lat2 - lat1) * (lng - lng1)) / (lng2 - lng1)] : [];
  });
  return Math.max(...(crossings.length ? crossings : ring.map(([lat]) => lat)));
}

function nameTag(map, place, at) {
  const text = document.createElement("span");
  text.textContent = named(place.name);
  const icon = L.divIcon({ className: `tag ${place.kind}`, html: text, iconSize: null });
  return L.marker(at, { icon, interactive: false, keyboard: false, zIndexOffset: -1000 }).addTo(map);
}

const level = (zoom) => (zoom < 15.5 ? "far" : zoom < 17.4 ? "mid" : "near");

/** Rings of a GeoJSON polygon, or of its bare coordinates, as Leaflet wants them: latitude first. */
export function ringsOf(outline) {
  const rings = outline.coordinates ?? outline;
  return rings.map((ring) => ring.map(([lon, lat]) => [lat, lon]));
}
