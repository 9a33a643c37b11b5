// Outlines and names of places on the map; colours come from the style sheet, so that themes reach them.
// Only what the zoom needs and the window shows is drawn: a city has thousands of grids and buildings.
import L from "../../vendor/leaflet.module.js";
import { named } from "../core/i18n.js";
import { SEVERITIES } from "../core/severity.js";

const KINDS = ["street", "community", "estate", "grid", "building"];
const GROUND = new Set(["street", "grid"]);
const DRAWN = {
  far: new Set(["street", "community", "estate"]),
  mid: new Set(["street", "community", "estate", "building"]),
  near: new Set(KINDS),
};
const NAMED = {
  far: new Set(["street", "community"]),
  mid: new Set(["street", "community", "estate"]),
  near: new Set(["estate", "grid", "building", "spot"]),
};
const FIRST_PANE_Z = 350;

/** `draw(places, grids)` takes places anew, `paint(worst)` gives each the worst that is open inside it. */
export function createPlaces(map, choose) {
  let shapes = [];
  let worst = new Map();
  KINDS.forEach((kind, n) => (map.createPane(kind).style.zIndex = FIRST_PANE_Z + n));
  map.on("zoomend moveend", refresh);

  function draw(places, grids) {
    for (const { layer, tag } of shapes) for (const one of [layer, tag]) one?.remove();
    const all = [...places, ...grids.map((grid) => ({ ...grid, kind: "grid", path: `grid/${grid.code}` }))];
    const outlined = all.filter((place) => place.outline && KINDS.includes(place.kind)).map((place) => outline(place, choose));
    const buildings = places.filter((place) => place.kind === "building");
    const isInside = (spot) => buildings.some((building) => spot.path.startsWith(`${building.path}/`));
    const spots = places.filter((place) => place.kind === "spot" && place.lat !== null && !isInside(place)).map(spotShape);
    shapes = [...outlined, ...spots];
    refresh();
  }

  function paint(found) {
    worst = found;
    for (const shape of shapes) colour(shape);
  }

  /** What comes into the window is added, what left it is removed. */
  function refresh() {
    const level = levelOf(map.getZoom());
    map.getContainer().dataset.zoom = level;
    const window = map.getBounds().pad(0.4);
    for (const shape of shapes) {
      const isNear = window.intersects(shape.bounds);
      toggle(shape.layer, isNear && DRAWN[level].has(shape.place.kind));
      toggle(shape.tag, isNear && NAMED[level].has(shape.place.kind));
      colour(shape);
    }
  }

  function toggle(layer, wanted) {
    if (layer && wanted !== map.hasLayer(layer)) (wanted ? layer.addTo(map) : layer.remove());
  }

  function colour({ place, layer, tag }) {
    const severity = place.kind === "street" ? undefined : worst.get(place.path);
    for (const one of [layer, tag]) {
      const element = one && map.hasLayer(one) ? one.getElement() : null;
      if (!element) continue;
      element.classList.remove(...SEVERITIES);
      if (severity) element.classList.add(severity);
    }
  }
  return { draw, paint };
}

/** Rings of a GeoJSON polygon, or of its bare coordinates, as Leaflet wants them: latitude first. */
export function ringsOf(outlined) {
  const rings = outlined.coordinates ?? outlined;
  return rings.map((ring) => ring.map(([lon, lat]) => [lat, lon]));
}

function outline(place, choose) {
  const rings = ringsOf(place.outline);
  const isGround = GROUND.has(place.kind);
  const layer = L.polygon(rings, { className: `place ${place.kind}`, pane: place.kind, interactive: !isGround, smoothFactor: 0.5 });
  if (!isGround) layer.on("click", (event) => (L.DomEvent.stop(event), choose(place)));
  const bounds = L.latLngBounds(rings.flat());
  // A grid is named at its side: in the middle lie the names of what is in it.
  const lng = bounds.getWest() + (place.kind === "grid" ? 0.86 : 0.5) * (bounds.getEast() - bounds.getWest());
  const at = place.kind === "building" ? [bounds.getSouth(), lng] : [northAt(rings[0], lng), lng];
  return { place, layer, bounds, tag: nameTag(place, at) };
}

function spotShape(place) {
  const at = [place.lat, place.lon];
  return { place, layer: null, bounds: L.latLngBounds([at, at]), tag: nameTag(place, at) };
}

/** The northernmost latitude of a ring at a longitude. */
function northAt(ring, lng) {
  const crossings = ring.flatMap(([lat1, lng1], n) => {
    const [lat2, lng2] = ring[(n + 1) % ring.length];
    return (lng1 - lng) * (lng2 - lng) < 0 ? [lat1 + ((lat2 - lat1) * (lng - lng1)) / (lng2 - lng1)] : [];
  });
  return Math.max(...(crossings.length ? crossings : ring.map(([lat]) => lat)));
}

function nameTag(place, at) {
  const text = document.createElement("span");
  text.textContent = named(place.name);
  const icon = L.divIcon({ className: `tag ${place.kind}`, html: text, iconSize: null });
  return L.marker(at, { icon, interactive: false, keyboard: false, zIndexOffset: -1000 });
}

const levelOf = (zoom) => (zoom < 15.5 ? "far" : zoom < 17.4 ? "mid" : "near");
