// Preact with htm templates: no build step, no JSX.
import { h, render, Fragment } from "../../vendor/preact.module.js";
import htm from "../../vendor/htm.module.js";

export { h, render, Fragment };
export { useEffect, useLayoutEffect, useMemo, useRef, useState } from "../../vendor/hooks.module.js";
export const html = htm.bind(h);
