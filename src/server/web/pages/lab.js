// Trying an edited rule over what is stored. Nothing is saved.
import { get, post } from "../api.js";
import { attempt } from "../acts.js";
import { chart, withGaps } from "../chart.js";
import { button, fill, h } from "../dom.js";
import { clock } from "../format.js";
import { empty, subjectLink, table } from "../parts.js";
import { t } from "../words.js";

export async function show(page, [name]) {
  const { rules } = await get("rules");
  const pick = h("select", { "aria-label": t("rule") }, rules.map((rule) => h("option", { selected: rule.name === name }, rule.name)));
  const span = h("select", { "aria-label": t("time") }, ["1h", "6h", "24h", "3d", "7d"].map((text) => h("option", { selected: text === "24h" }, text)));
  const text = h("textarea.editor", { spellcheck: "false", rows: 22, "aria-label": t("Rule text") });
  const result = h("section", { "aria-live": "polite" });
  let source = null;
  let charts = [];
  const clear = () => {
    charts.forEach((it) => it.destroy());
    charts = [];
  };
  const load = async () => {
    if (rules.length === 0) return;
    source = await get(`rules/${encodeURIComponent(pick.value)}/source`);
    text.value = source.text;
    fill(result);
  };
  const run = async () => {
    go.disabled = true;
    clear();
    fill(result, h("p.dim", {}, t("running…")));
    const answer = await attempt(() => post("replay", { file: source.file, text: text.value, from: span.value }));
    go.disabled = false;
    fill(result);
    if (answer) await tell(answer);
  };
  const go = button(t("Run"), run, { class: "primary" });

  const tell = async ({ problems, events, saved, from, to }) => {
    if (problems) return fill(result, h("pre.problem.error", {}, problems));
    const key = (it) => `${it.time} ${it.rule} ${it.kind} ${it.name} ${it.event}`;
    const [before, now] = [new Set(saved.map(key)), new Set(events.map(key))];
    const added = events.filter((it) => !before.has(key(it)));
    const gone = saved.filter((it) => !now.has(key(it)));
    const rows = [...added.map((it) => ["+", it]), ...gone.map((it) => ["−", it]), ...events.filter((it) => before.has(key(it))).map((it) => ["", it])]
      .sort(([, a], [, b]) => a.time.localeCompare(b.time));
    fill(result, h("h2", {}, t("What would have happened")),
      h("p", {}, `${events.length} ${t("events")}; `, h("b.added", {}, `+${added.length}`), " ", h("b.gone", {}, `−${gone.length}`), ` ${t("against the rule as it is saved")}`),
      rows.length === 0 ? empty(t("Nothing.")) : table(["", t("time"), t("rule"), t("subject"), t("event"), t("level")],
        rows.slice(0, 500).map(([mark, it]) => [h("b", { class: mark === "+" ? "added" : "gone" }, mark), clock(it.time), it.rule, subjectLink(it.kind, it.name), t(it.event), t(it.level ?? "")]), t("events")));
    // The subject of which most would have been told, with both on its field.
    const [subject] = [...count(rows.map(([, it]) => it))].sort(([, a], [, b]) => b - a)[0] ?? [];
    if (!subject) return;
    const [kind, who] = subject.split("\n");
    const rule = rules.find((it) => it.name === pick.value);
    const field = (rule?.fields ?? [])[0] ?? (await firstField(kind, who));
    if (!field) return;
    const history = await get("history", { kind, name: who, field, from, to, step: "5m" }).catch(() => null);
    if (!history) return;
    const [start, end] = [Date.parse(from) / 1000, Date.parse(to) / 1000];
    const [times, values] = withGaps(history.points, Math.max(history.gap_seconds, 750));
    const made = chart({ series: [{ label: field, times, values }], bands: bands(events, kind, who, end), field, from: start, to: end, height: 230 });
    charts.push(made);
    result.append(h("figure", {}, h("figcaption", {}, subjectLink(kind, who), ` ${field}`), made.element));
  };

  pick.addEventListener("change", load);
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) run();
  });
  fill(page, h("h1", {}, t("Lab")), h("p.dim", {}, t("Edit a rule's text and run it over what is stored. Nothing is saved.")),
    h("div.row", {}, pick, span, go, button(t("As it is saved"), load)), text, result);
  await load();
  return { destroy: clear };
}

function count(events) {
  const all = new Map();
  for (const { kind, name } of events) all.set(`${kind}\n${name}`, (all.get(`${kind}\n${name}`) ?? 0) + 1);
  return all;
}

async function firstField(kind, name) {
  const { subjects: [subject] } = await get("subjects", { kind, name });
  return Object.entries(subject?.fields ?? {}).find(([, it]) => typeof it === "number")?.[0];
}

/** From when until when it would have fired on a subject. */
function bands(events, kind, name, end) {
  const all = [];
  for (const it of events.filter((event) => event.kind === kind && event.name === name)) {
    const time = Date.parse(it.time) / 1000;
    if (it.event === "raised") all.push({ from: time, to: end, level: it.level ?? "warning" });
    else if (it.event === "recovered" || it.event === "closed") {
      const open = all.findLast((band) => band.to === end);
      if (open) open.to = time;
    }
  }
  return all;
}
