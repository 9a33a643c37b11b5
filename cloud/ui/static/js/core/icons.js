// A dozen strokes drawn for these pages, in boxes of 24 × 24.
import { html } from "./html.js";

const PATHS = {
  spark: "M13 2 5 14h6l-1 8 8-12h-6z",
  sound: "M4 9v6h4l5 4V5L8 9zM16.5 8.5a5 5 0 0 1 0 7M19 6a9 9 0 0 1 0 12",
  mute: "M4 9v6h4l5 4V5L8 9zM17 9l5 6M22 9l-5 6",
  sun: "M12 7a5 5 0 1 0 0 10a5 5 0 1 0 0-10M12 1v3M12 20v3M1 12h3M20 12h3M4.2 4.2l2 2M17.8 17.8l2 2M4.2 19.8l2-2M17.8 6.2l2-2",
  moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4A8.5 8.5 0 1 0 20 14.5Z",
  close: "M5 5l14 14M19 5 5 19",
  check: "M4 12.5 9.5 18 20 6.5",
  home: "M3 11 12 3l9 8M6 9v11h12V9",
  plus: "M12 4v16M4 12h16",
  minus: "M4 12h16",
  phone: "M7 2h10v20H7zM11 18.5h2",
  pin: "M12 22s7-7.2 7-12.5A7 7 0 0 0 5 9.5C5 14.8 12 22 12 22M12 7a2.5 2.5 0 1 0 0 5a2.5 2.5 0 1 0 0-5",
  key: "M8 10a4 4 0 1 0 0 8a4 4 0 1 0 0-8M11 11l9-9M16 6l3 3",
  heart: "M12 20.5S3.5 15 3.5 9A4.6 4.6 0 0 1 12 6.6A4.6 4.6 0 0 1 20.5 9C20.5 15 12 20.5 12 20.5Z",
  more: "M5 12h.01M12 12h.01M19 12h.01",
};

export function Icon({ name, size = 18 }) {
  return html`<svg class="icon" width=${size} height=${size} viewBox="0 0 24 24" aria-hidden="true"><path d=${PATHS[name]} /></svg>`;
}
