// Rules: how they fare, one with its source, and why it fires on something or not.
import { get } from "../api.js";
import { button, fill, h } from "../dom.js";
import { clock, labels, value } from "../format.js";
import { empty, level, problem, ruleLink, subjectLink, table, when } from "../parts.js";
import { t } from "../words.js";

export async function show(page, [name], context) {
  return name ? one(page, name, context) : list(page);
}

async function list(page) {
  const filter = h("input.filter", { type: "search", placeholder: t("filter rules"), "aria-label": t("filter rules"), "data-filter": true });
  const problems = h("ul.problems");
  const rows = h("div");
  fill(page, h("h1.line", {}, t("Rules"), filter), problems, rows);
  let seen = [];
  const draw = () => {
    const wanted = seen.filter((rule) => `${rule.name} ${rule.file} ${rule.kind}`.toLowerCase().includes(filter.value.toLowerCase()));
    fill(rows, wanted.length === 0 ? empty(t("None.")) : table(
      [t("rule"), t("health"), t("firing"), t("pending"), t("takes part"), t("evaluations"), t("cost"), t("errors"), t("runs"), t("place")],
      wanted.map((rule) => [ruleLink(rule.name), h("span.health", { class: rule.health, title: rule.problem ?? "" }, t(rule.health)), rule.firing || "–", rule.pending || "–",
        rule.taking_part, rule.evaluations.toLocaleString(), h("span", { title: t("operations of the interpreter for one evaluation") }, rule.evaluations > 0 && rule.operations > 0 ? Math.ceil(rule.operations / rule.evaluations) : "–"), rule.errors || "–", h("span", { title: rule.not_lowered ?? "" }, rule.not_lowered ? t("interpreted") : t("lowered")), h("code", {}, `${rule.file}:${rule.line}`)]), t("Rules")));
  };
  const load = async () => {
    const [{ rules }, status] = await Promise.all([get("rules"), get("status")]);
    seen = rules.sort((a, b) => (b.health !== "ok") - (a.health !== "ok") || b.firing - a.firing || a.name.localeCompare(b.name));
    fill(problems, status.problems.map(problem));
    draw();
  };
  filter.addEventListener("input", draw);
  await load();
  return { refresh: load, every: 5000 };
}

async function one(page, name) {
  const load = async () => {
    const [{ rules }, survey, source] = await Promise.all([get("rules"), get("why", { rule: name }), get(`rules/${encodeURIComponent(name)}/source`).catch(() => null)]);
    const rule = rules.find((it) => it.name === name);
    fill(page, h("h1", {}, name, " ", rule && h("span.health", { class: rule.health }, t(rule.health))));
    if (!rule) return page.append(empty(t("There is no such rule now.")));
    const counts = survey.rule.verdicts;
    const { subjects } = survey;
    const link = (near) => h("a", { href: `#/why/${[name, rule.kind, near.name].map(encodeURIComponent).join("/")}` }, near.name);
    page.append(
      h("p.dim", {}, h("code", {}, `${rule.file}:${rule.line}`), ` · ${t("judges")} ${rule.scope === "on" ? "" : `${t("sets of")} `}${rule.kind}`, rule.by.length > 0 && ` ${t("by")} ${rule.by.join(", ")}`, " · ", survey.rule.times.join(", ")),
      rule.problem && h("p.problem.error", {}, rule.problem),
      survey.rule.file_problem && h("pre.problem.error", {}, survey.rule.file_problem),
      rule.not_lowered && h("p.dim", {}, `${t("interpreted")}: ${rule.not_lowered}`),
      h("section.counts", {}, ["fire", "clear", "no_data", "error"].map((says) => h("span.count", {}, h("b", {}, counts[says].toLocaleString()), h("span", {}, t(says))))),
      subjects && h("section", {}, h("h2", {}, t("Now")),
        h("ul.plain", {}, subjects.verdicts.map((it) => h("li", {}, h("b", {}, it.count), ` ${t(it.says)}`, it.reason && h("span.dim", {}, ` ${it.reason}`)))),
        subjects.firing.length > 0 && h("div", {}, h("h3", {}, t("Firing")), table([t("subject"), t("level"), t("since")], subjects.firing.map((it) => [link(it), level(it.level), when(it.since)]), t("Firing"))),
        subjects.nearest.length > 0 && h("div", {}, h("h3", {}, t("Nearest to firing")), table([t("subject"), t("condition"), t("values"), t("missing")],
          subjects.nearest.map((it) => [link(it), h("code", {}, it.missing?.comparison ?? ""), it.missing?.values ?? "", it.missing ? `${Math.round(it.missing.missing * 1000) / 10} %` : ""]), t("Nearest to firing")))),
      source && h("section", {}, h("h2.line", {}, t("Source"), h("a.button", { href: `#/lab/${encodeURIComponent(name)}` }, t("Try a change"))), code(source.text, rule.line)));
  };
  await load();
  return { refresh: load, every: 10000 };
}

/** A text with numbered lines; one of them is marked. */
export function code(text, marked) {
  return h("pre.code", { tabindex: "0" }, text.replace(/\n$/, "").split("\n").map((line, place) =>
    h("span.codeline", { class: place + 1 === marked ? "marked" : "" }, h("span.number", {}, place + 1), `${line}\n`)));
}

/** Why a rule fires on something, or not. */
export async function why(page, [rule, kind, name]) {
  const load = async () => {
    const found = await get("why", { rule, kind, name });
    const { verdict, state, subject } = found;
    fill(page,
      h("h1", {}, ruleLink(rule), " ", subjectLink(kind, name)),
      h("p.verdict", { class: verdict?.says ?? "" }, h("b", {}, t(verdict?.says ?? "–")), verdict?.reason && ` ${verdict.reason}`, verdict?.hint && h("span.dim", {}, ` ${verdict.hint}`),
        verdict?.missing && h("span.dim", {}, ` ${verdict.missing.comparison} (${verdict.missing.values})`)),
      subject && h("p.dim", {}, labels(subject.labels), " ", subject.snapshot && `${t("newest snapshot")} ${clock(subject.snapshot)}`, subject.members && ` ${subject.members.count} ${t("members")}`),
      state && h("p", {}, t(state.state), state.firing_since && h("span", {}, ` ${t("since")} ${clock(state.firing_since)}`), state.message && h("span.dim", {}, ` ${state.message}`),
        state.timers.map((timer) => h("span.tag", {}, `${timer.timer} ${Math.round(timer.counted_seconds)}/${Math.round(timer.length_seconds)} s`))),
      h("h2", {}, t("Evaluation")), found.evaluation.map((part) => h("section.part", {},
        h("p", {}, h("b", {}, part.part), " ", part.level && level(part.level), " ", h("span.outcome", { class: part.outcome.result }, part.outcome.text), h("span.dim", {}, ` ${found.rule.file}:${part.line}:${part.column}`)),
        h("ul.expressions", {}, part.expressions.map((it) => h("li", { class: `depth${Math.min(6, it.depth)}` }, h("code", {}, it.text), h("span.outcome", { class: it.outcome.result }, it.outcome.text),
          it.asked.map((asked) => h("span.dim.asked", {}, `${asked.question} = ${asked.outcome.text}`, asked.samples && ` (${asked.samples.count} ${t("samples")}, ${clock(asked.samples.start)} – ${clock(asked.samples.end)})`))))))),
      Object.keys(found.values).length > 0 && h("p.dim", {}, Object.entries(found.values).map(([field, it]) => `${field} ${value(field, it)}`).join(", ")),
      found.stages && h("section", {}, h("h2", {}, found.stages.what_if ? t("Who would be told") : t("Who is told")),
        table([t("route"), t("to"), t("says")], found.stages.routes.map((route) => [route.number, route.to.join(", "), [t(route.says), route.mismatch && `${route.mismatch.key}: ${route.mismatch.wants}, ${route.mismatch.saw}`].filter(Boolean).join(" ")]), t("route")),
        table([t("channel"), t("decision"), t("held by"), t("told"), t("delivery")], found.stages.channels.map((channel) => [channel.name, t(channel.decision), [channel.held_by, channel.held_until && clock(channel.held_until)].filter(Boolean).join(" "),
          channel.told ? `${t(channel.told.level)} ${clock(channel.told.time)}` : "–", channel.delivery ? [channel.delivery.state, channel.delivery.error].filter(Boolean).join(": ") : "–"]), t("channel"))),
      found.next.length > 0 && h("section", {}, h("h2", {}, t("What comes next")), h("ul.plain", {}, found.next.map((it) => h("li", {}, it.what, it.time && h("span.dim", {}, ` ${clock(it.time)}`))))),
      button(t("Look again"), load));
  };
  await load();
  return { refresh: load };
}
