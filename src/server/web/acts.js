// What an operator does: acknowledge and silence.
import { Refused, post } from "./api.js";
import { button, dialog, h, notice } from "./dom.js";
import { t } from "./words.js";

/** Does something, and says what came of it. */
export async function attempt(what, done) {
  try {
    const answer = await what();
    if (done) notice(done);
    return answer;
  } catch (error) {
    notice(error instanceof Refused && error.hint ? `${error.message} (${error.hint})` : error.message, true);
    return null;
  }
}

/** Asks for a comment, and acknowledges a firing, or takes that back. */
export function acknowledge(alert, after) {
  const undo = Boolean(alert.acknowledged);
  dialog(undo ? t("Take the acknowledgement back") : t("Acknowledge"), (close) => {
    const comment = h("input", { name: "comment", placeholder: t("comment"), autofocus: true, maxlength: 500 });
    const submit = async (event) => {
      event.preventDefault();
      const body = { comment: comment.value, undo };
      if (await attempt(() => post(`alerts/${encodeURIComponent(alert.id)}/ack`, body), undo ? t("taken back") : t("acknowledged"))) {
        close();
        after?.();
      }
    };
    return h("form", { onsubmit: submit },
      h("p", {}, h("b", {}, alert.rule), ` ${alert.name}`),
      h("p.dim", {}, t("No reminders and no escalation until the level rises or it ends.")),
      comment,
      h("div.row", {}, h("button.primary", { type: "submit" }, undo ? t("Take back") : t("Acknowledge")), button(t("Cancel"), close)));
  });
}

/** Makes a silence that covers something: `match` is what the form begins with. */
export function silence(match, after) {
  dialog(t("Silence"), (close) => {
    const fields = Object.entries({ rule: "", kind: "", name: "", ...match });
    const inputs = fields.map(([label, text]) => [label, h("input", { value: text, "aria-label": label, placeholder: t("any") })]);
    const length = h("select", { "aria-label": t("for") }, ["30m", "1h", "2h", "8h", "1d", "7d"].map((text) => h("option", { selected: text === "1h" }, text)));
    const comment = h("input", { placeholder: t("comment"), maxlength: 500 });
    const covers = h("p.dim", { "aria-live": "polite" });
    const body = () => {
      const wanted = Object.fromEntries(inputs.map(([label, input]) => [label, input.value.trim()]).filter(([, text]) => text));
      return { match: wanted, for: length.value, comment: comment.value };
    };
    const preview = async () => {
      covers.textContent = "";
      if (Object.keys(body().match).length === 0) return;
      try {
        const made = await post("silences", { ...body(), preview: true });
        covers.textContent = `${t("covers now")}: ${(made.covers ?? []).length}`;
      } catch (error) {
        covers.textContent = error.message;
      }
    };
    const submit = async (event) => {
      event.preventDefault();
      if (await attempt(() => post("silences", body()), t("silenced"))) {
        close();
        after?.();
      }
    };
    inputs.forEach(([, input]) => input.addEventListener("change", preview));
    preview();
    return h("form", { onsubmit: submit },
      h("div.fields", {}, inputs.map(([label, input]) => h("label", {}, label, input)), h("label", {}, t("for"), length)),
      comment, covers,
      h("div.row", {}, h("button.primary", { type: "submit" }, t("Silence")), button(t("Cancel"), close)));
  });
}
