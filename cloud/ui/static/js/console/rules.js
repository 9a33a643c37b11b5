// The rules that a gateway judges by itself, as the cloud wants them.
import { call, get, put } from "../core/api.js";
import { html, useEffect, useState } from "../core/html.js";
import { complaint, t } from "../core/i18n.js";
import { useStore } from "../core/store.js";
import { GatewayState } from "./cardholders.js";
import { store } from "./state.js";

/** A rule to begin with, of devices that this gateway has. */
function example(gateway) {
  const own = store.get().devices.filter((one) => one.gateway.group === gateway.group && one.gateway.code === gateway.code);
  const first = (type) => own.find((one) => one.type === type)?.code ?? `${type}-1`;
  return {
    code: "smoke-siren",
    where: { devices: [first("smoke")] },
    when: { type: "state", metric: "smoke" },
    actions: [{ device: first("siren"), output: "sound" }],
  };
}

export function Rules({ gateway }) {
  const changes = useStore(store, (state) => state.setChanges);
  const [shown, setShown] = useState(null);
  const [text, setText] = useState(null);
  const [fault, setFault] = useState("");
  const [leaving, setLeaving] = useState(null);
  const [turn, setTurn] = useState(0);
  const base = `/gateways/${encodeURIComponent(gateway.group)}/${encodeURIComponent(gateway.code)}`;
  const pathOf = (code) => `${base}/rules/${encodeURIComponent(code)}`;
  useEffect(() => {
    let isCurrent = true;
    get(`${base}/sets`).then((found) => isCurrent && setShown(found), () => null);
    return () => { isCurrent = false; };
  }, [base, changes, turn]);
  if (!shown) return null;
  const act = (doing) => doing.then(() => (setFault(""), setTurn((n) => n + 1)), (error) => setFault(complaint(error)));
  const save = (event) => {
    event.preventDefault();
    let rule;
    try {
      rule = JSON.parse(text);
    } catch (error) {
      return setFault(t("ui.rules.not-json", { why: error.message }));
    }
    return put(pathOf(rule?.code ?? ""), { rule }).then(() => (setText(null), setFault(""), setTurn((n) => n + 1)), (error) => setFault(complaint(error)));
  };
  return html`<section class="rules" data-testid="rules"><h3>${t("ui.rules.title")}</h3>
    <p class="dim">${t("ui.rules.hint")}</p>
    <ul class="sets"><${GatewayState} gateway=${shown.gateway} set=${shown.rules} /></ul>
    <ul class="versions">${shown.local_rules.map(({ rule, enabled }) => html`<li key=${rule.code} data-rule=${rule.code} class=${enabled ? "" : "off"}>
      <b>${rule.code}</b><small>${(rule.actions ?? []).map(({ device, output }) => `${device} ${output}`).join(", ")}</small>
      ${shown.may_set && html`<span class="buttons">
        <button class="act" onClick=${() => setText(JSON.stringify(rule, null, 2))}>${t("ui.cardholders.edit")}</button>
        <button class="act" onClick=${() => act(put(pathOf(rule.code), { rule, enabled: !enabled }))}>${t(enabled ? "ui.cardholders.disable" : "ui.cardholders.enable")}</button>
        <button class="act" onClick=${() => (leaving === rule.code ? act(call("DELETE", pathOf(rule.code))) : setLeaving(rule.code))}>${t(leaving === rule.code ? "ui.cardholders.remove-sure" : "ui.cardholders.remove")}</button></span>`}</li>`)}</ul>
    ${shown.may_set && text === null && html`<button class="act" data-testid="rule-add" onClick=${() => setText(JSON.stringify(example(gateway), null, 2))}>${t("ui.rules.add")}</button>`}
    ${text !== null && html`<form class="form" onSubmit=${save}>
      <label>${t("ui.rules.text")}<textarea spellcheck="false" rows="12" value=${text} data-testid="rule-text" onInput=${(event) => setText(event.target.value)}></textarea></label>
      <div class="controls"><button class="act primary" data-testid="rule-save">${t("ui.cardholders.save")}</button>
        <button type="button" class="act" onClick=${() => (setText(null), setFault(""))}>${t("ui.cancel")}</button></div></form>`}
    ${fault && html`<p class="fault" role="alert" data-testid="rule-fault">${fault}</p>`}
  </section>`;
}
