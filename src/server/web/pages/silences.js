// Silences, and what is paused.
import { get, post, remove } from "../api.js";
import { attempt, silence } from "../acts.js";
import { button, fill, h } from "../dom.js";
import { clock } from "../format.js";
import { empty, table } from "../parts.js";
import { t } from "../words.js";

export async function show(page) {
  const load = async () => {
    const [{ silences }, { paused }] = await Promise.all([get("silences"), get("pause")]);
    const end = (it) => async () => {
      if (await attempt(() => remove(`silences/${encodeURIComponent(it.id)}`), t("ended"))) load();
    };
    const goOn = (it) => async () => {
      const what = it.what === "collectors" || it.what === "collector" ? "collectors" : "rules";
      if (await attempt(() => post("resume", { [what]: it.name ? [it.name] : true }), t("goes on"))) load();
    };
    fill(page, h("h1.line", {}, t("Silences"), button(t("New"), () => silence({}, load), { class: "primary" })),
      silences.length === 0 ? empty(t("Nobody is silenced.")) : table([t("state"), t("covers"), t("from"), t("until"), t("author"), t("comment"), ""],
        silences.map((it) => [h("span.tag", { class: it.state === "active" ? "warning" : "" }, t(it.state)), h("code", {}, covers(it.match ?? it.matches)), clock(it.from), it.until ? clock(it.until) : it.every ?? "–", it.author, it.comment,
          it.expired || it.state === "expired" ? "" : button(t("End"), end(it))]), t("Silences")),
      h("h2", {}, t("Paused")), paused.length === 0 ? empty(t("Nothing is paused.")) : table([t("what"), t("since"), t("by"), t("comment"), ""],
        paused.map((it) => [`${it.what} ${it.name ?? ""}`, clock(it.since), it.by, it.comment, button(t("Go on"), goOn(it))]), t("Paused")));
  };
  await load();
  return { refresh: load, every: 5000 };
}

function covers(match) {
  return typeof match === "object" && match !== null ? Object.entries(match).map(([label, text]) => `${label}=${typeof text === "string" ? text : JSON.stringify(text)}`).join(" ") : String(match);
}
