// Everything that happened, newest first, nothing editable.
import { html } from "../core/html.js";
import { named, t, word } from "../core/i18n.js";
import { clockTime } from "../core/time.js";

const STATES = ["from", "to"];

export function Timeline({ rows }) {
  return html`<section class="block"><h3>${t("ui.timeline.title")}</h3>
    <ol class="timeline">
      ${[...rows].reverse().map(
        (row) => html`<li key=${row.id} data-kind=${row.kind}><time>${clockTime(row.at)}</time>
          <p><span>${told(row)}</span>${row.person && html`<b>${named(row.person.name)}</b>`}
            ${row.kind !== "note" && row.data?.note && html`<em>${row.data.note}</em>`}</p></li>`,
      )}
    </ol>
  </section>`;
}

function told({ kind, data }) {
  const params = { ...data };
  if (params.rule) params.rule = word("cloud.rule", params.rule);
  if (kind === "moved") for (const key of STATES) params[key] = word("cloud.state", params[key]);
  if (kind === "escalated") params.to = word("cloud.level", params.to);
  return word("cloud.timeline", kind, params);
}
