// A short two-tone call while a P1 is unacknowledged. Browsers allow sound after a gesture only, so it begins switched off.

const EVERY_MS = 6000;
const TONES = [
  [880, 0],
  [660, 0.18],
];

let context = null;
let timer = null;

export const isSoundOn = () => context !== null;

/** Switch on or off; must be called from a click or a key. */
export async function toggleSound() {
  if (context) {
    silence();
    await context.close();
    context = null;
    return false;
  }
  context = new AudioContext();
  await context.resume();
  beep(0.05);
  return true;
}

/** Call until `silence`. */
export function call() {
  if (!context || timer) return;
  beep(0.25);
  timer = setInterval(() => beep(0.25), EVERY_MS);
}

export function silence() {
  clearInterval(timer);
  timer = null;
}

function beep(volume) {
  for (const [frequency, after] of TONES) {
    const tone = new OscillatorNode(context, { frequency, type: "sine" });
    const gain = new GainNode(context, { gain: 0 });
    const start = context.currentTime + after;
    gain.gain.setValueAtTime(0, start);
    gain.gain.linearRampToValueAtTime(volume, start + 0.02);
    gain.gain.exponentialRampToValueAtTime(0.0001, start + 0.16);
    tone.connect(gain).connect(context.destination);
    tone.start(start);
    tone.stop(start + 0.17);
  }
}
