// The frame around the pages: where one is, what is live, and what the keys do.
import { Lost, Refused, follow, setToken, token } from "./api.js";
import { button, dialog, fill, h, notice } from "./dom.js";
import { clock } from "./format.js";
import { empty, tick } from "./parts.js";
import { language, setLanguage, t } from "./words.js";
import * as alerts from "./pages/alerts.js";
import * as channels from "./pages/channels.js";
import * as lab from "./pages/lab.js";
import * as now from "./pages/now.js";
import * as rules from "./pages/rules.js";
import * as silences from "./pages/silences.js";
import * as subject from "./pages/subject.js";

const PAGES = [["", "Now", now.show], ["alerts", "Alerts", alerts.show], ["rules", "Rules", rules.show], ["lab", "Lab", lab.show], ["silences", "Silences", silences.show], ["channels", "Channels", channels.show]];
const OTHERS = { subject: subject.show, why: rules.why };
/** Looks at everything again at most so often. */
const LEAST = 1000;
/** The daemon gives a sign of life every 15 seconds. */
const SILENCE = 40000;
const main = document.getElementById("main");

let shown = null;
let visit = 0;
/** Something may have happened between the first look and the start of the stream. */
let mayHaveMissed = false;
let lostSince = null;

// Light and dark: as the system has it, unless chosen.
const theme = localStorage.getItem("larum.theme");
if (theme) document.documentElement.dataset.theme = theme;

function drawBar() {
  const [, place = ""] = location.hash.slice(1).split("/");
  const pages = PAGES.map(([path, title], number) => h("a", { href: `#/${path}`, "aria-current": place === path ? "page" : null, title: String(number + 1) }, t(title)));
  const switchTheme = () => {
    const isDark = getComputedStyle(document.documentElement).getPropertyValue("--is-dark").trim() === "1";
    document.documentElement.dataset.theme = isDark ? "light" : "dark";
    localStorage.setItem("larum.theme", document.documentElement.dataset.theme);
    go();
  };
  const switchLanguage = () => {
    setLanguage(language() === "en" ? "zh-CN" : "en");
    document.documentElement.lang = language();
    go();
  };
  fill(document.getElementById("bar"),
    h("a.brand", { href: "#/" }, h("img", { src: "/assets/icon.svg", alt: "", width: 22, height: 22 }), "Larum"),
    h("nav", { "aria-label": "Larum" }, pages),
    h("span.live", { id: "live", class: lostSince ? "lost" : "", title: lostSince ? t("retrying") : t("connected") }),
    button("◐", switchTheme, { title: t("theme"), "aria-label": t("theme"), class: "plain" }),
    button(language() === "en" ? "中" : "EN", switchLanguage, { title: t("language"), "aria-label": t("language"), class: "plain" }),
    button("?", help, { title: t("Keys"), "aria-label": t("Keys"), class: "plain" }));
}

/** Shows the page of the address. */
async function go() {
  const mine = ++visit;
  drawBar();
  shown?.destroy?.();
  clearTimeout(shown?.timer);
  shown = null;
  const [, place = "", ...rest] = location.hash.slice(1).split("/").map(decodeURIComponent);
  const render = OTHERS[place] ?? PAGES.find(([path]) => path === place)?.[2];
  const page = h("div.page", { class: place || "now" });
  if (!render) return fill(main, empty(t("There is no such page.")));
  try {
    const made = await render(page, rest, { refresh });
    if (mine !== visit) return made?.destroy?.();
    shown = { ...made, looked: Date.now() };
    fill(main, page);
    document.title = `${t(PAGES.find(([path]) => path === place)?.[1] ?? rest.at(-1) ?? "")} · Larum`;
    if (shown.every) later(shown.every);
    if (mayHaveMissed) soon();
    mayHaveMissed = false;
  } catch (error) {
    if (mine !== visit) return;
    fill(main, failure(error));
    lost(error);
  }
}

function failure(error) {
  return h("div.failure", {}, h("h1", {}, error.message), error instanceof Refused && h("p.dim", {}, error.hint), button(t("Look again"), go));
}

function later(delay) {
  const page = shown;
  page.timer = setTimeout(async () => {
    if (page !== shown) return;
    if (!document.hidden && !lostSince) await refresh();
    later(delay);
  }, delay);
}

/** Looks at everything that the page shows again. */
async function refresh() {
  const page = shown;
  if (!page?.refresh) return;
  try {
    page.looked = Date.now();
    await page.refresh();
  } catch (error) {
    if (page !== shown) return;
    if (error instanceof Lost) lost(error);
    else notice(error.message, true);
  }
}

let isDue = false;
function soon(delay = LEAST) {
  if (isDue || !shown?.refresh) return;
  isDue = true;
  setTimeout(() => {
    isDue = false;
    if (!document.hidden) refresh();
  }, Math.max(50, delay - (Date.now() - (shown.looked ?? 0))));
}

function lost(error) {
  if (!(error instanceof Lost) && !(error instanceof Refused && error.status >= 500)) return;
  lostSince ??= new Date();
  const place = document.getElementById("lost");
  place.hidden = false;
  fill(place, `${t("Lost the connection to the daemon")}: ${t("since ")}${clock(lostSince)}, ${t("retrying")}. ${t("What is shown is from before")}.`);
  document.body.classList.add("lost");
  document.getElementById("live")?.classList.add("lost");
}

function found() {
  if (!lostSince) return;
  lostSince = null;
  document.getElementById("lost").hidden = true;
  document.body.classList.remove("lost");
  document.getElementById("live")?.classList.remove("lost");
  shown ? refresh() : go();
}

/** Follows what happens, for as long as the page is open. */
async function live() {
  for (let delay = 500; ; delay = Math.min(delay * 2, 8000)) {
    const stop = new AbortController();
    // Where nothing comes for too long, not even a sign of life, the connection is gone.
    let silence = null;
    const alive = () => {
      clearTimeout(silence);
      silence = setTimeout(() => stop.abort(), SILENCE);
    };
    alive();
    try {
      await follow((event, data) => {
        delay = 500;
        found();
        if (event === "snapshots") {
          shown?.snapshots?.(data.subjects);
          soon(data.more > 0 ? 2000 : 10000);
        } else if (event === "hello" && !shown) mayHaveMissed = true;
        else soon();
      }, alive, stop.signal);
      lost(new Lost());
    } catch (error) {
      if (error instanceof Refused && error.status === 401) {
        await asked;
        continue;
      }
      lost(error instanceof Refused ? error : new Lost(error.message));
    } finally {
      clearTimeout(silence);
    }
    await new Promise((resolve) => setTimeout(resolve, delay));
  }
}

// Where tokens are needed, one is asked for, and kept for as long as the tab is open.
let asked = null;
let answered = null;
window.addEventListener("larum-token", () => {
  if (asked) return;
  asked = new Promise((resolve) => (answered = resolve));
  dialog(t("Token"), (close) => {
    const secret = h("input", { type: "password", autocomplete: "off", autofocus: true, value: token(), "aria-label": t("Token") });
    const submit = (event) => {
      event.preventDefault();
      setToken(secret.value.trim());
      close();
      answered();
      asked = null;
      go();
    };
    return h("form", { onsubmit: submit }, h("p.dim", {}, t("A token with the scope `read` (or `write`, to acknowledge and silence) is needed.")), secret, h("div.row", {}, h("button.primary", { type: "submit" }, t("Show"))));
  });
});

function help() {
  const keys = [["1 – 6", t("page")], ["/", t("filter")], ["j k", t("next and previous alert")], ["a", t("Acknowledge")], ["s", t("Silence")], ["?", t("this help")]];
  dialog(t("Keys"), (close) => h("div", {}, h("dl.keys", {}, keys.map(([key, what]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, what)])), h("div.row", {}, button(t("Close"), close))));
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName) || document.querySelector("dialog[open]")) return;
  const rows = [...document.querySelectorAll("[data-alert]")];
  const place = rows.findIndex((row) => row.contains(document.activeElement));
  const keys = {
    "?": help,
    "/": () => document.querySelector("[data-filter]")?.focus(),
    j: () => rows[Math.min(rows.length - 1, place + 1)]?.focus(),
    k: () => rows[Math.max(0, place - 1)]?.focus(),
    a: () => rows[place]?.querySelector("[data-act=ack]")?.click(),
    s: () => rows[place]?.querySelector("[data-act=silence]")?.click(),
  };
  const page = PAGES[Number(event.key) - 1];
  if (page) location.hash = `#/${page[0]}`;
  else if (keys[event.key]) {
    event.preventDefault();
    keys[event.key]();
  }
});

window.addEventListener("hashchange", go);
document.addEventListener("visibilitychange", () => !document.hidden && soon(0));
setInterval(tick, 1000);
document.documentElement.lang = language();
go();
live();
