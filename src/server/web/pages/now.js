// What fires first, then what is watched.
import { get } from "../api.js";
import { acknowledge, silence } from "../acts.js";
import { spark } from "../chart.js";
import { button, fill, h, reconcile } from "../dom.js";
import { labels, value } from "../format.js";
import { level, problem, ruleLink, subjectLink, when } from "../parts.js";
import { t } from "../words.js";

/** Alerts that are shown before somebody asks for all. */
const FIRST = 50;

export async function show(page, _, { refresh }) {
  const counts = h("section.counts", { "aria-label": t("Counts") });
  const problems = h("ul.problems", { "aria-label": t("Problems") });
  const firing = h("ol.alerts", { "aria-label": t("Firing") });
  const more = h("div.more");
  const pending = h("ol.alerts.pending", { "aria-label": t("Pending") });
  const filter = h("input.filter", { type: "search", placeholder: t("filter subjects"), "aria-label": t("filter subjects"), "data-filter": true });
  const kinds = h("div.kinds");
  fill(page, problems, counts, h("h1", {}, t("Firing")), firing, more, h("h1.line", {}, t("Subjects"), filter), kinds, h("details.quiet", {}, h("summary", {}, t("Pending")), pending));
  let seen = null;
  let showsAll = false;
  const limits = new Map();

  const isWanted = (subject) => {
    const text = filter.value.toLowerCase();
    return !text || `${subject.name} ${labels(subject.labels)}`.toLowerCase().includes(text);
  };

  const draw = () => {
    const { status, states, levels } = seen;
    reconcile(problems, status.problems.filter((it) => it.severity === "error"), (it) => JSON.stringify(it), problem);
    drawCounts(counts, seen);
    const alerts = seen.alerts.filter((alert) => alert.state === "firing" || alert.state === "recovering");
    const shown = showsAll ? alerts : alerts.slice(0, FIRST);
    reconcile(firing, shown, (alert) => alert.id, (alert) => alertRow(alert, conditionOf(alert, seen.conditions), refresh));
    const total = (states.firing ?? 0) + (states.recovering ?? 0);
    fill(more, alerts.length === 0 && quiet(status, levels), shown.length < total && button(`${t("Show all")} (${total})`, () => {
      showsAll = true;
      draw();
    }));
    reconcile(pending, seen.alerts.filter((alert) => alert.state === "pending").slice(0, 200), (alert) => `${alert.rule} ${alert.kind} ${alert.name}`, pendingRow);
    // Those that alerts are about come first.
    const worst = (kind) => (kind.subjects.some((subject) => subject.level) ? 0 : 1);
    const shownKinds = seen.kinds.filter((kind) => kind.kind !== "larum" && kind.kind !== "collector").sort((a, b) => worst(a) - worst(b));
    reconcile(kinds, shownKinds, (kind) => kind.kind, () => h("section.kind"), () => "");
    for (const section of kinds.children) {
      const kind = seen.kinds.find((it) => it.kind === section.dataset.key);
      drawKind(section, kind, kind.subjects.filter(isWanted));
    }
  };

  const drawKind = (section, kind, subjects) => {
    if (!section.firstChild) section.append(h("h2"), h("ul.tiles"), h("div.more"));
    const [head, tiles, rest] = section.children;
    fill(head, kind.kind, h("span.dim", {}, ` ${kind.total}`), kind.stale > 0 && h("span.stale", {}, ` ${kind.stale} ${t("stale")}`), kind.field && h("span.dim.field", {}, ` ${kind.field}${kind.rate ? " / s" : ""}`));
    reconcile(tiles, subjects, (subject) => subject.name, (subject) => tile(kind, subject));
    const hidden = kind.total - kind.subjects.length;
    fill(rest, hidden > 0 && button(`${t("Show more")} (${hidden})`, async () => {
      limits.set(kind.kind, Math.min(2000, (limits.get(kind.kind) ?? 200) * 4));
      await load();
    }));
  };

  const load = async () => {
    const next = await get("dashboard", { duration: "1h" });
    for (const [kind, limit] of limits) {
      const { kinds: [wider] } = await get("dashboard", { duration: "1h", kind, limit });
      const place = next.kinds.findIndex((it) => it.kind === kind);
      if (wider && place >= 0) next.kinds[place] = wider;
    }
    seen = next;
    draw();
  };

  filter.addEventListener("input", () => seen && draw());
  await load();
  return {
    refresh: load,
    /** Values of subjects that had news are shown at once, before the next look at everything. */
    snapshots(subjects) {
      for (const news of subjects) {
        const kind = seen.kinds.find((it) => it.kind === news.kind);
        const subject = kind?.subjects.find((it) => it.name === news.name);
        if (subject) Object.assign(subject, { fields: news.fields, time: news.time, stale: false, gone: news.gone });
      }
      draw();
    },
  };
}

function drawCounts(place, { status, levels, states, kinds }) {
  const subjects = kinds.reduce((sum, kind) => sum + kind.total, 0);
  const stale = kinds.reduce((sum, kind) => sum + kind.stale, 0);
  const down = status.collectors.filter((collector) => collector.up === false);
  const failing = status.channels.filter((channel) => channel.problem);
  const warnings = status.problems.filter((it) => it.severity !== "error").length;
  const count = (number, text, href, kind = "") => h("a.count", { href, class: number ? kind : "" }, h("b", {}, number), h("span", {}, text));
  fill(place,
    ["critical", "error", "warning", "info"].filter((name) => levels[name]).map((name) => count(levels[name], t(name), "#/alerts", name)),
    count(states.pending ?? 0, t("pending"), "#/alerts"),
    count(subjects, t("subjects"), "#/"),
    stale > 0 && count(stale, t("stale"), "#/", "warning"),
    count(status.rules.total, t("rules"), "#/rules"),
    count(status.silences, t("silences"), "#/silences"),
    down.length > 0 && count(down.length, t("collectors down"), "#/channels", "error"),
    failing.length > 0 && count(failing.length, t("channels failing"), "#/channels", "error"),
    status.outbox.dead > 0 && count(status.outbox.dead, t("dead letters"), "#/channels", "error"),
    warnings > 0 && count(warnings, t("warnings"), "#/rules", "warning"),
    !status.alert_enabled && h("span.count.error", {}, h("b", {}, t("off")), h("span", {}, t("alerting"))),
    status.paused.length > 0 && count(status.paused.length, t("paused"), "#/rules", "warning"));
}

function quiet(status, levels) {
  if (Object.keys(levels).length > 0) return null;
  return h("div.calm", {}, h("b", {}, t("Nothing fires.")), h("span.dim", {}, ` ${status.rules.total} ${t("rules")}`));
}

/** What its rule asks at its level, as it is written. */
function conditionOf({ rule, level: at }, conditions) {
  return conditions[rule]?.[at] ?? conditions[rule]?.any;
}

function alertRow(alert, condition, refresh) {
  const values = Object.entries(alert.values ?? {}).map(([name, it]) => `${name} ${value(name, it)}`).join(", ");
  return h("li.alert", { class: alert.level ?? "", tabindex: "0", "data-focus": "row", "data-alert": alert.id },
    h("div.what", {},
      level(alert.level), " ", ruleLink(alert.rule), " ", subjectLink(alert.kind, alert.name, "subject"),
      alert.state === "recovering" && h("span.tag", {}, t("recovering")),
      alert.acknowledged && h("span.tag.ok", { title: alert.acknowledged.comment ?? "" }, `${t("acknowledged")} ${alert.acknowledged.by ?? ""}`),
      (alert.silenced_by ?? []).length > 0 && h("span.tag", {}, t("silenced")),
      alert.inhibited_by && h("span.tag", {}, t("inhibited")),
      alert.not_judged_since && h("span.tag.warning", {}, t("no data"))),
    h("div.since", {}, when(alert.since)),
    h("p.message", {}, alert.message),
    (values || condition) && h("p.values", {}, values, condition && h("span.dim", {}, ` ${t("asked")}: ${condition}`)),
    h("div.row.acts", {},
      button(alert.acknowledged ? t("Take back") : t("Acknowledge"), () => acknowledge(alert, refresh), { "data-focus": "ack", "data-act": "ack" }),
      button(t("Silence"), () => silence({ rule: alert.rule, kind: alert.kind, name: alert.name }, refresh), { "data-focus": "silence", "data-act": "silence" }),
      h("a.button", { href: `#/alerts/${encodeURIComponent(alert.id)}`, "data-focus": "history" }, t("History")),
      h("a.button", { href: `#/why/${[alert.rule, alert.kind, alert.name].map(encodeURIComponent).join("/")}`, "data-focus": "why" }, t("Why?")),
      (alert.told ?? []).length > 0 && h("span.dim", {}, `${t("told")}: ${alert.told.join(", ")}`)));
}

function pendingRow(alert) {
  return h("li.alert", {}, h("div.what", {}, ruleLink(alert.rule), " ", subjectLink(alert.kind, alert.name)), h("div.since", {}, when(alert.since)), h("p.message", {}, alert.message));
}

function tile(kind, subject) {
  const own = kind.rate ? subject.spark.findLast((it) => it !== null) : kind.field ? subject.fields[kind.field] : undefined;
  return h("li", {}, h("a.tile", {
    href: `#/subject/${encodeURIComponent(kind.kind)}/${encodeURIComponent(subject.name)}`,
    class: [subject.level ?? "", subject.stale ? "isstale" : "", subject.gone ? "isgone" : ""].join(" "),
    title: labels(subject.labels),
    "data-focus": "tile",
  },
  h("span.name", {}, subject.name),
  h("span.own", {}, subject.gone ? t("gone") : subject.stale ? t("stale") : own === undefined ? "–" : value(kind.field, own) + (kind.rate ? "/s" : "")),
  spark(subject.spark)));
}

