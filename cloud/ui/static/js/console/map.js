// The map: places as outlines from our own data, no tiles. A place shows the worst that is open inside it.
import { html, useEffect, useRef } from "../core/html.js";
import { Icon } from "../core/icons.js";
import { currentLanguage, named, t, word } from "../core/i18n.js";
import { SEVERITIES, Shape } from "../core/severity.js";
import { useStore } from "../core/store.js";
import L from "../../vendor/leaflet.module.js";
import { Building } from "./building.js";
import { worstByPath } from "./derived.js";
import { createPlaces, ringsOf } from "./mapplaces.js";
import { createPins } from "./mappins.js";
import { select, store } from "./state.js";

const CLOSE_ZOOM = 18.5;
const calmMotion = matchMedia("(prefers-reduced-motion: reduce)");

export function MapView() {
  const element = useRef(null);
  const view = useRef(null);
  const state = useStore(store);
  const { places, grids, incidents, responders, selected, focusPlace, fresh, alarms } = state;
  const language = currentLanguage();

  useEffect(() => {
    view.current = createView(element.current);
    return () => view.current.map.remove();
  }, []);
  useEffect(() => view.current.setPlaces(places, grids), [places, grids, language]);
  useEffect(() => view.current.outlines.paint(worstByPath(incidents)), [incidents, places, language]);
  useEffect(() => view.current.pins.update({ incidents, responders, selected, fresh, alarms }));
  useEffect(() => view.current.lookAt(incidents.find((one) => one.id === selected)), [selected]);

  const street = places.find((place) => place.kind === "street");
  return html`<section class="panel map" aria-label=${t("ui.map.title")}>
    <div class="canvas" ref=${element}></div>
    <${Areas} places=${places} incidents=${incidents} onGo=${(place) => view.current.goTo(place)} />
    <div class="zoom">
      <button title=${t("ui.map.in")} aria-label=${t("ui.map.in")} onClick=${() => view.current.map.zoomIn(1)}><${Icon} name="plus" /></button>
      <button title=${t("ui.map.out")} aria-label=${t("ui.map.out")} onClick=${() => view.current.map.zoomOut(1)}><${Icon} name="minus" /></button>
      <button title=${t("ui.map.home")} aria-label=${t("ui.map.home")} onClick=${() => view.current.goTo(street)}><${Icon} name="home" /></button>
    </div>
    <${Legend} />
    ${focusPlace && html`<${Building} place=${focusPlace} />`}
  </section>`;
}

function Legend() {
  return html`<ul class="legend" aria-label=${t("ui.map.legend")}>
    ${SEVERITIES.map((one) => html`<li key=${one} class=${one}><${Shape} severity=${one} />${word("cloud.severity", one)}</li>`)}
    <li class="dim">${t("ui.map.filled")}</li>
  </ul>`;
}

/** The communities as buttons: the way over the map by keyboard, and what is wrong where at a glance. */
function Areas({ places, incidents, onGo }) {
  const worst = worstByPath(incidents);
  const areas = places.filter((place) => place.kind === "community");
  const order = (place) => worst.get(place.path) ?? "P9";
  const shown = [...areas].sort((a, b) => order(a).localeCompare(order(b)) || a.id - b.id).slice(0, 8);
  return html`<nav class="areas" aria-label=${t("ui.map.areas")}>
    ${shown.map((place) => {
      const severity = worst.get(place.path);
      const open = incidents.filter((one) => one.response !== "device" && one.place?.path.startsWith(`${place.path}/`)).length;
      return html`<button key=${place.id} class=${severity ?? ""} onClick=${() => onGo(place)}>
        ${severity && html`<${Shape} severity=${severity} size=${10} />`}${named(place.name)}${open > 0 && html`<b>${open}</b>`}
      </button>`;
    })}
  </nav>`;
}

function createView(element) {
  const map = L.map(element, {
    zoomControl: false, attributionControl: false, zoomSnap: 0.25, zoomDelta: 0.5, minZoom: 9, maxZoom: 21, wheelPxPerZoomLevel: 100,
    keyboardPanDelta: 120,
  });
  L.control.scale({ imperial: false, position: "bottomright" }).addTo(map);
  const view = { map, places: [], outlines: createPlaces(map, choose), pins: createPins(map, select), setPlaces, goTo, lookAt };
  let fitted = false;
  new ResizeObserver(() => {
    map.invalidateSize({ pan: false });
    if (fitted === "street") fitStreet();
  }).observe(element);
  map.on("movestart zoomstart", (event) => {
    if (fitted === "street" && event.originalEvent) fitted = "person";
  });

  function setPlaces(places, grids) {
    if (!places.length) return;
    view.places = places;
    if (!fitted) {
      fitted = "street";
      fitStreet();
    }
    view.outlines.draw(places, grids);
  }

  function fitStreet() {
    const all = view.places.filter((place) => place.outline).map(boundsOf);
    if (all.length) map.fitBounds(all.reduce((whole, one) => whole.extend(one), all[0]), { padding: [28, 44], animate: false });
    else map.setView([view.places[0]?.lat ?? 0, view.places[0]?.lon ?? 0], 16);
  }

  /** A building opens its floors; what is larger fills the map. */
  function choose(place) {
    goTo(place);
    store.set({ focusPlace: place.kind === "building" ? place : null });
  }

  function goTo(place) {
    if (!place) return;
    fitted = place.kind === "street" ? "street" : "person";
    const options = { padding: [36, 52], maxZoom: place.kind === "building" ? CLOSE_ZOOM : 19.5, duration: 0.6, animate: !calmMotion.matches };
    if (place.outline) map.flyToBounds(boundsOf(place), options);
    else if (place.lat !== null) map.flyTo([place.lat, place.lon], CLOSE_ZOOM, options);
  }

  function lookAt(incident) {
    if (!incident || incident.lat === null) return;
    const at = L.latLng(incident.lat, incident.lon);
    if (map.getZoom() >= 17 && map.getBounds().pad(-0.15).contains(at)) return;
    const estate = view.places.find((place) => place.kind === "estate" && place.outline && incident.place?.path.startsWith(`${place.path}/`));
    if (estate) return goTo(estate);
    fitted = "person";
    map.flyTo(at, Math.max(map.getZoom(), CLOSE_ZOOM - 0.5), { duration: 0.6, animate: !calmMotion.matches });
  }
  return view;
}

const boundsOf = (place) => L.latLngBounds(ringsOf(place.outline).flat());
