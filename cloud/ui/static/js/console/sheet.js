// People from a spreadsheet: looked at first, then taken whole, or not at all with every line that is wrong.
import { post } from "../core/api.js";
import { html, useState } from "../core/html.js";
import { complaint, currentLanguage, t } from "../core/i18n.js";

const MOST_BYTES = 2000000;
const COLUMNS = "code,name,cards,duress_cards,doors,schedule,valid_from,valid_until,enabled,passback_exempt";

export function Sheet({ place, onDone }) {
  const [looked, setLooked] = useState(null);
  const [fault, setFault] = useState("");
  const look = async ({ target }) => {
    const [file] = target.files;
    target.value = "";
    setLooked(null);
    setFault("");
    if (!file) return;
    if (file.size > MOST_BYTES) return setFault(t("ui.configuration.too-large", { most: MOST_BYTES }));
    const text = await file.text();
    try {
      setLooked({ text, ...(await post("/access/import", { place, text, trial: true })) });
    } catch (error) {
      setFault(complaint(error));
    }
  };
  const take = () => post("/access/import", { place, text: looked.text }).then(
    ({ people }) => (setLooked(null), onDone(t("ui.sheet.taken", { people }))),
    (error) => setFault(complaint(error)),
  );
  return html`<section class="sheet"><h3>${t("ui.sheet.title")}</h3>
    <p class="dim">${t("ui.sheet.hint")} <code>${COLUMNS}</code></p>
    <label class="act file">${t("ui.configuration.file")}<input type="file" accept=".csv,text/csv" data-testid="sheet-file" onChange=${look} /></label>
    ${fault && html`<p class="fault" role="alert">${fault}</p>`}
    ${looked && looked.faults.length > 0 && html`<p class="fault" role="alert">${t("ui.sheet.nothing", { count: looked.faults.length })}</p>
      <ul class="faults" data-testid="sheet-faults">${looked.faults.map(({ line, error }) => html`<li key=${line}>${t("ui.sheet.line", { line })} ${error.sentence?.[currentLanguage()] ?? error.code}</li>`)}</ul>`}
    ${looked && looked.faults.length === 0 && html`<button class="act primary" data-testid="sheet-take" disabled=${looked.people === 0} onClick=${take}>${t("ui.sheet.take", { people: looked.people })}</button>`}
  </section>`;
}
