// One subject: its fields over time, with what fired.
import { get } from "../api.js";
import { chart, withGaps } from "../chart.js";
import { button, fill, h } from "../dom.js";
import { labels, value } from "../format.js";
import { empty, level, ruleLink, table, when } from "../parts.js";
import { t } from "../words.js";

const SPANS = [["1h", "10s"], ["24h", "5m"], ["7d", "30m"]];
/** Charts that are drawn before somebody asks for more. */
const FIRST = 6;

export async function show(page, [kind, name]) {
  let [span, step] = SPANS[0];
  let count = FIRST;
  let charts = [];
  const head = h("div.subjecthead");
  const spans = h("div.row.spans", { role: "group", "aria-label": t("time") });
  const pictures = h("div.charts");
  const fields = h("section");
  const alerts = h("section");
  fill(page, head, spans, pictures, fields, alerts);

  const clear = () => {
    charts.forEach((it) => it.destroy());
    charts = [];
  };

  const load = async () => {
    const [{ subjects: [subject] }, { alerts: present }, past] = await Promise.all([
      get("subjects", { kind, name }),
      get("alerts", { kind, name }),
      get("alerts", { state: "all", kind, name, since: "7d", limit: 100 }),
    ]);
    fill(head, h("h1", {}, h("span.dim", {}, `${kind} `), name), subject
      ? h("p.dim", {}, labels(subject.labels), " ", subject.gone ? t("gone") : subject.stale ? t("stale") : "", " ", when(subject.time), ` ${t("by")} ${subject.source}`)
      : h("p.dim", {}, t("It is not known any more; what is stored of it is shown.")));
    fill(spans, SPANS.map(([text, length]) => button(text, async () => {
      [span, step] = [text, length];
      await load();
    }, { "aria-pressed": String(text === span), class: text === span ? "primary" : "" })));
    const all = Object.entries(subject?.fields ?? {});
    const numbers = all.filter(([, it]) => typeof it === "number").map(([field]) => field);
    const bands = past.alerts.map((alert) => ({ from: Date.parse(alert.since) / 1000, to: alert.ended ? Date.parse(alert.ended) / 1000 : null, level: alert.level ?? "warning" }));
    const drawn = await Promise.all(numbers.slice(0, count).map(async (field) => {
      const history = await get("history", { kind, name, field, from: span, step }).catch(() => null);
      if (!history) return null;
      const [from, to] = [Date.parse(history.from) / 1000, Date.parse(history.to) / 1000];
      const gap = Math.max(history.gap_seconds, history.step_seconds * 2.5);
      const [times, values] = withGaps(history.points, gap);
      return { field, times, values, from, to };
    }));
    clear();
    fill(pictures, drawn.filter(Boolean).map(({ field, times, values, from, to }) => {
      const made = chart({ series: [{ label: field, times, values }], bands, field, from, to });
      charts.push(made);
      return h("figure", {}, h("figcaption", {}, field, " ", h("b", {}, value(field, subject.fields[field]))), times.length ? made.element : empty(t("no samples")));
    }), numbers.length > count && button(`${t("Show more")} (${numbers.length - count})`, async () => {
      count = numbers.length;
      await load();
    }));
    fill(fields, h("h2", {}, t("Fields")), table([t("field"), t("value")], all.map(([field, it]) => [h("code", {}, field), value(field, it)]), t("Fields")));
    const firing = present.filter((alert) => alert.state !== "firing");
    fill(alerts, h("h2", {}, t("Alerts")), past.alerts.length + firing.length === 0 ? empty(t("None in 7 days.")) : table(
      [t("level"), t("rule"), t("since"), t("state"), t("message")],
      [...firing, ...past.alerts].map((alert) => [level(alert.level), ruleLink(alert.rule), when(alert.since),
        alert.id ? h("a", { href: `#/alerts/${encodeURIComponent(alert.id)}` }, t(alert.state)) : t(alert.state), alert.message ?? ""]), t("Alerts")));
  };
  await load();
  return { refresh: load, every: 15000, destroy: clear };
}
