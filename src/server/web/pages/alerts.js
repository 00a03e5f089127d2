// Alerts, past and present, and one of them with all that happened.
import { get } from "../api.js";
import { acknowledge, silence } from "../acts.js";
import { button, fill, h } from "../dom.js";
import { clock, seconds } from "../format.js";
import { empty, level, ruleLink, subjectLink, table, when } from "../parts.js";
import { t } from "../words.js";

export async function show(page, [id], context) {
  return id ? one(page, id, context) : list(page);
}

async function list(page) {
  const input = (name, label) => h("input", { name, "aria-label": label, placeholder: label });
  const state = h("select", { name: "state", "aria-label": t("state") }, [["all", t("all")], ["firing", t("firing")], ["pending", t("pending")], ["ended", t("ended")]].map(([it, text]) => h("option", { value: it }, text)));
  const atLevel = h("select", { name: "level", "aria-label": t("level") }, [["", t("any level")], ...["critical", "error", "warning", "info"].map((it) => [it, t(it)])].map(([it, text]) => h("option", { value: it }, text)));
  const since = h("select", { name: "since", "aria-label": t("since") }, ["24h", "7d", "30d", "90d"].map((it) => h("option", { selected: it === "7d" }, it)));
  const form = h("form.filters", { onsubmit: (event) => event.preventDefault() }, state, atLevel, since, input("rule", t("rule")), input("kind", t("kind")), input("name", t("name")));
  const rows = h("div");
  fill(page, h("h1", {}, t("Alerts")), form, rows);
  let cursors = [""];
  const load = async () => {
    const asked = Object.fromEntries(new FormData(form));
    if (asked.state === "firing" || asked.state === "pending") delete asked.since;
    const found = await get("alerts", { ...asked, limit: 100, cursor: cursors.at(-1) });
    fill(rows, found.alerts.length === 0 ? empty(t("None.")) : table(
      [t("level"), t("rule"), t("subject"), t("since"), t("lasted"), t("state"), t("message")],
      found.alerts.map((alert) => [level(alert.level), ruleLink(alert.rule), subjectLink(alert.kind, alert.name), clock(alert.since), lasted(alert),
        alert.id ? h("a", { href: `#/alerts/${encodeURIComponent(alert.id)}` }, t(alert.state)) : t(alert.state), alert.message ?? ""]), t("Alerts")),
    h("div.row", {}, cursors.length > 1 && button(t("Newer"), () => {
      cursors.pop();
      load();
    }), found.next && button(t("Older"), () => {
      cursors.push(found.next);
      load();
    })));
  };
  form.addEventListener("change", () => {
    cursors = [""];
    load();
  });
  await load();
  return { refresh: load };
}

function lasted(alert) {
  const end = alert.ended ? Date.parse(alert.ended) : Date.now();
  return alert.id ? seconds(Math.round((end - Date.parse(alert.since)) / 1000)) : "–";
}

async function one(page, id, { refresh }) {
  const load = async () => {
    const history = await get(`alerts/${encodeURIComponent(id)}`);
    const alert = history.alert;
    fill(page,
      h("h1", {}, level(alert.level), " ", ruleLink(alert.rule), " ", subjectLink(alert.kind, alert.name)),
      h("p", {}, alert.message), h("p.dim", {}, `${t(alert.state)}, ${t("since")} ${clock(alert.since)}`, alert.ended && `, ${t("ended")} ${clock(alert.ended)}`),
      alert.state !== "ended" && h("div.row", {}, button(alert.acknowledged ? t("Take back") : t("Acknowledge"), () => acknowledge(alert, refresh)),
        button(t("Silence"), () => silence({ rule: alert.rule, kind: alert.kind, name: alert.name }, refresh))),
      h("h2", {}, t("What happened")), h("ol.timeline", {}, moments(history).map(({ time, kind, what, detail }) =>
        h("li", { class: kind }, h("time", { datetime: time }, clock(time)), h("span", {}, what), detail && h("span.dim", {}, detail)))),
      history.suppressed.length > 0 && h("section", {}, h("h2", {}, t("not told")), h("ul.plain", {}, history.suppressed.map((it) => h("li", {}, h("b", {}, it.channel), " ", h("span.dim", {}, it.reason))))));
  };
  await load();
  return { refresh: load };
}

/** All that happened to an alert, from its condition to each attempt, in the order of time. */
function moments({ transitions = [], events = [], notifications = [] }) {
  const all = [
    ...transitions.map((it) => ({ time: it.time, kind: "state", what: `${t(it.from)} → ${t(it.to)}` })),
    ...events.map((it) => ({ time: it.time, kind: it.level, what: t(it.event), detail: [it.reason, it.message].filter(Boolean).join(" · ") })),
    ...notifications.flatMap((it) => [
      { time: it.time, kind: "told", what: `${it.channel}: ${it.events.map(t).join(", ") || it.occasion}`, detail: `${it.state}${it.n_attempts > 1 ? `, ${it.n_attempts} ${t("attempts")}` : ""}` },
      ...it.attempts.filter((attempt) => attempt.error).map((attempt) => ({ time: attempt.ended ?? attempt.time, kind: "error", what: `${it.channel}: ${t("attempt failed")}`, detail: attempt.error })),
      it.ended && { time: it.ended, kind: it.error ? "error" : "ok", what: `${it.channel}: ${t(it.state)}`, detail: it.error ?? "" },
    ]),
  ];
  return all.filter((it) => it?.time).sort((a, b) => Date.parse(a.time) - Date.parse(b.time));
}
