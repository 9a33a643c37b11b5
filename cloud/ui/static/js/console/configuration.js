// A gateway's configuration from afar: what is wanted, what it runs, the difference, and a text to change it by.
import { actionId, get, post } from "../core/api.js";
import { html, useEffect, useState } from "../core/html.js";
import { complaint, currentLanguage, named, t, word } from "../core/i18n.js";
import { useStore } from "../core/store.js";
import { ago, useNow } from "../core/time.js";
import { Drawer } from "./help.js";
import { Rules } from "./rules.js";
import { notify, store } from "./state.js";

const OPEN = ["queued", "sent", "trying"];
const MOST_BYTES = 60000;
/** What was written and not sent yet, by gateway: closing the drawer by mistake costs nobody a text. */
const drafts = new Map();

const pathOf = ({ group, code }) => `/gateways/${encodeURIComponent(group)}/${encodeURIComponent(code)}/configuration`;

export function Configuration() {
  const gateway = useStore(store, (state) => state.configured);
  const changes = useStore(store, (state) => state.configurationChanges);
  const [shown, setShown] = useState(null);
  const [fault, setFault] = useState("");
  useNow(10000);
  useEffect(() => {
    let isCurrent = true;
    get(pathOf(gateway)).then(
      (found) => isCurrent && (setShown(found), setFault("")),
      (error) => isCurrent && setFault(complaint(error)),
    );
    return () => { isCurrent = false; };
  }, [gateway.group, gateway.code, changes]);
  return html`<${Drawer} title=${t("ui.configuration.title", { gateway: gateway.code })} test="configuration">
    ${fault && html`<p class="fault" role="alert">${fault}</p>`}
    ${shown
      ? html`<div class="configuration" data-state=${shown.wanted?.state ?? "none"} data-same=${shown.same}>
          <${Standing} shown=${shown} />
          <${Differences} shown=${shown} />
          ${shown.may_set ? html`<${Editor} key=${gateway.code} gateway=${gateway} shown=${shown} onShown=${setShown} />` : html`<p class="dim">${t("ui.configuration.read-only")}</p>`}
          <${Versions} rows=${shown.versions} />
          <${Rules} key=${`rules-${gateway.code}`} gateway=${gateway} />
        </div>`
      : !fault && html`<p class="dim">${t("ui.loading")}</p>`}
  <//>`;
}

/** Wanted and reported beside one another. */
function Standing({ shown: { wanted, reported, gateway } }) {
  return html`<dl class="standing">
    <div><dt>${t("ui.configuration.wanted")}</dt>
      <dd>${wanted ? html`<b>${versionName(wanted)}</b> <span class=${`tagged ${wanted.state}`} data-wanted=${wanted.state}>${word("ui.configuration.state", wanted.state)}</span>
        <small>${named(wanted.person.name)}, ${ago(wanted.created_at)}</small>` : html`<span class="dim">${t("ui.configuration.nothing-wanted")}</span>`}</dd></div>
    <div><dt>${t("ui.configuration.reported")}</dt>
      <dd>${reported ? html`<b>${versionName(reported)}</b> <small>${ago(reported.at)}</small>` : html`<span class="dim">${t("ui.configuration.nothing-reported")}</span>`}
        ${!gateway.online && html`<span class="tagged off">${t("ui.device.offline")}</span>`}</dd></div>
    ${wanted?.error && html`<p class="fault" role="status" data-testid="configuration-error">${sentenceOf(wanted.error)}</p>`}
  </dl>`;
}

function Differences({ shown: { difference, wanted, reported, same } }) {
  if (!wanted || !reported) return null;
  if (same) return html`<p class="same">${t("ui.configuration.same")}</p>`;
  return html`<section><h3>${t("ui.configuration.difference")} <b>${difference.length}</b></h3>
    <table data-testid="difference"><thead><tr><th>${t("ui.configuration.key")}</th><th>${t("ui.configuration.wanted")}</th><th>${t("ui.configuration.reported")}</th></tr></thead>
      <tbody>${difference.map((row) => html`<tr key=${row.key}><td>${row.key}</td><td>${row.wanted ?? "–"}</td><td>${row.reported ?? "–"}</td></tr>`)}</tbody></table>
  </section>`;
}

/** A text, or a file; what the gateway says against it comes back as a sentence. */
function Editor({ gateway, shown, onShown }) {
  const draft = pathOf(gateway);
  const [text, keepText] = useState(drafts.get(draft) ?? null);
  const setText = (written) => {
    if (written === null) drafts.delete(draft);
    else drafts.set(draft, written);
    keepText(written);
  };
  const [hold, setHold] = useState(120);
  const [fault, setFault] = useState("");
  const [busy, setBusy] = useState(false);
  const value = text ?? shown.wanted?.text ?? shown.reported?.text ?? "";
  const isOnTrial = shown.wanted?.state === "trying";
  const send = async (event) => {
    event.preventDefault();
    setBusy(true);
    setFault("");
    try {
      onShown(await post(pathOf(gateway), { text: value, hold_s: Number(hold), action_id: actionId() }));
      setText(null);
      notify(t("ui.configuration.given", { gateway: gateway.code }));
    } catch (error) {
      setFault(complaint(error));
    }
    setBusy(false);
  };
  const load = async ({ target }) => {
    const [file] = target.files;
    if (!file) return;
    if (file.size > MOST_BYTES) setFault(t("ui.configuration.too-large", { most: MOST_BYTES }));
    else setText(await file.text());
    target.value = "";
  };
  return html`<form onSubmit=${send} class="form">
    <label>${t("ui.configuration.text")}
      <textarea spellcheck="false" autocapitalize="off" rows="16" required value=${value} data-testid="configuration-text"
        onInput=${(event) => setText(event.target.value)}></textarea></label>
    <p class="dim">${t("ui.configuration.secrets")}</p>
    ${fault && html`<p class="fault" role="alert" data-testid="configuration-fault">${fault}</p>`}
    <div class="controls">
      <label class="act file">${t("ui.configuration.file")}<input type="file" accept=".toml,text/plain" onChange=${load} /></label>
      <label class="hold">${t("ui.configuration.hold")}<input type="number" min="10" max="3600" value=${hold} onInput=${(event) => setHold(event.target.value)} /></label>
      <button class="act primary" disabled=${busy || isOnTrial} data-testid="configuration-send">${t("ui.configuration.send")}</button>
    </div>
    <p class="dim">${t("ui.configuration.trial", { seconds: hold })}</p>
  </form>`;
}

function Versions({ rows }) {
  if (!rows.length) return null;
  return html`<section><h3>${t("ui.configuration.versions")}</h3>
    <ul class="versions">${rows.map((one) => html`<li key=${one.id} data-version=${one.number} data-state=${one.state}>
      <b>${versionName(one)}</b><span class=${`tagged ${one.state}`}>${word("ui.configuration.state", one.state)}</span>
      <small>${named(one.person.name)}, ${ago(one.created_at)}${OPEN.includes(one.state) ? "" : ` → ${ago(one.changed_at)}`}</small>
      ${one.error && html`<small class="fault">${sentenceOf(one.error)}</small>`}</li>`)}</ul>
  </section>`;
}

const versionName = ({ number, hash }) => `${number ? `#${number}` : t("ui.configuration.on-the-spot")} · ${hash.slice(0, 8)}`;
const sentenceOf = (error) => error.sentence?.[currentLanguage()] ?? error.code;
