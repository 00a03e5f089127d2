// Channels and collectors: what arrives, and what does not.
import { get, post } from "../api.js";
import { attempt } from "../acts.js";
import { button, fill, h } from "../dom.js";
import { clock, seconds } from "../format.js";
import { empty, table, when } from "../parts.js";
import { t } from "../words.js";

export async function show(page) {
  const load = async () => {
    const [status, { outbox: dead }, { outbox: waiting }] = await Promise.all([get("status"), get("outbox", { state: "dead", limit: 50 }), get("outbox", { state: "waiting", limit: 50 })]);
    const act = (route, it, done) => async () => {
      if (await attempt(() => post(`outbox/${encodeURIComponent(it.id)}/${route}`), done)) load();
    };
    const test = (name) => async () => attempt(() => post(`channels/${encodeURIComponent(name)}/test`), t("a sample is on its way"));
    fill(page, h("h1", {}, t("Channels")), status.channels.length === 0 ? empty(t("None.")) : table(
      [t("channel"), t("type"), t("delivered"), t("waiting"), t("dead"), t("suppressed"), t("attempts"), t("last"), t("problem"), ""],
      status.channels.map((it) => [h("b", {}, it.name), it.type, it.delivered + it.absorbed, it.waiting || "–", it.dead || "–", it.suppressed || "–",
        `${it.attempts.ok}/${it.attempts.ok + it.attempts.partial + it.attempts.retry + it.attempts.permanent}`, when(it.last_delivered),
        it.problem ? h("span.problem.error", {}, it.problem) : h("span.ok", {}, t("ok")), button(t("Test"), test(it.name))]), t("Channels")),
      h("h2", {}, t("Dead letters")), dead.length === 0 ? empty(t("None.")) : table([t("time"), t("channel"), t("what"), t("why"), ""],
        dead.map((it) => [clock(it.time), it.channel, title(it), it.error ?? "", h("span.row", {}, button(t("Retry"), act("retry", it, t("tried again"))))]), t("Dead letters")),
      h("h2", {}, t("Waiting")), waiting.length === 0 ? empty(t("None.")) : table([t("time"), t("channel"), t("what"), t("next attempt"), t("error"), ""],
        waiting.map((it) => [clock(it.time), it.channel, title(it), it.next_attempt ? clock(it.next_attempt) : "–", it.error ?? "", h("span.row", {}, button(t("Retry"), act("retry", it, t("tried again"))), button(t("Drop"), act("drop", it, t("dropped"))))]), t("Waiting")),
      h("h2", {}, t("Collectors")), table([t("collector"), t("health"), t("last pass"), t("took"), t("failures"), t("error")],
        status.collectors.map((it) => [h("b", {}, it.name), it.paused ? t("paused") : it.up === null ? "–" : h("span", { class: it.up ? "ok" : "problem error" }, it.up ? t("up") : t("down")), when(it.last_pass), it.duration_seconds === null ? "–" : seconds(it.duration_seconds), it.consecutive_failures || "–", it.error ?? ""]), t("Collectors")));
  };
  await load();
  return { refresh: load, every: 5000 };
}

function title(it) {
  const what = [it.rule, it.name].filter(Boolean).join(" ") || it.occasion;
  return `${what}${it.event ? ` ${t(it.event)}` : ""}${it.alerts > 1 ? ` (${it.alerts})` : ""}`;
}
