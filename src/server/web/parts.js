// Parts that several pages show.
import { h } from "./dom.js";
import { ago, clock } from "./format.js";
import { t } from "./words.js";

export function level(name) {
  return h("span.level", { class: name ?? "none" }, name ? t(name) : "–");
}

export function subjectLink(kind, name, focus) {
  return h("a.subject", { href: `#/subject/${encodeURIComponent(kind)}/${encodeURIComponent(name)}`, "data-focus": focus }, h("span.dim", {}, `${kind} `), name);
}

export function ruleLink(name) {
  return h("a", { href: `#/rules/${encodeURIComponent(name)}` }, name);
}

/** A time, and how long ago it was. */
export function when(time) {
  if (!time) return h("span.dim", {}, "–");
  return h("time", { datetime: time, title: clock(time), "data-ago": time }, ago(time));
}

/** Shows all times as long ago as they are by now. */
export function tick() {
  for (const element of document.querySelectorAll("[data-ago]")) {
    const text = ago(element.dataset.ago);
    if (element.textContent !== text) element.textContent = text;
  }
}

export function problem(it) {
  const place = [it.place, it.line].filter(Boolean).join(":");
  return h("li.problem", { class: it.severity },
    h("b", {}, t(it.severity)), " ", place && h("code", {}, place), " ", it.message,
    it.hint && h("span.dim", {}, ` ${it.hint}`));
}

export function empty(text) {
  return h("p.empty", {}, text);
}

/** A table; `rows` are lists of cells. On a narrow screen each row is a card. */
export function table(heads, rows, label) {
  return h("div.scroll", {}, h("table", { "aria-label": label },
    h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)))),
    h("tbody", {}, rows.map((cells) => h("tr", {}, cells.map((cell, place) => h("td", { "data-head": heads[place] }, cell)))))));
}
