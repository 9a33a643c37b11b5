// One state object per page, changed only through `set`, watched by components.
import { useEffect, useRef, useState } from "./html.js";

/** A store: `get()`, `set(patch | state => patch)`, `subscribe(listener) -> unsubscribe`. */
export function createStore(initial) {
  let state = initial;
  const listeners = new Set();
  return {
    get: () => state,
    set(change) {
      const patch = typeof change === "function" ? change(state) : change;
      if (!patch) return;
      state = { ...state, ...patch };
      for (const listener of [...listeners]) listener(state);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** The selected part of a store; the component is drawn again when that part is another object. */
export function useStore(store, select = (state) => state) {
  const [, redraw] = useState(0);
  const chosen = useRef(select);
  chosen.current = select;
  const value = select(store.get());
  const shown = useRef(value);
  shown.current = value;
  useEffect(() => {
    const look = () => {
      if (chosen.current(store.get()) !== shown.current) redraw((n) => n + 1);
    };
    look();
    return store.subscribe(look);
  }, [store]);
  return value;
}
