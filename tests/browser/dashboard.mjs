// The dashboard in a real Chromium: each page, live updates, acknowledging, silencing, the lab, a lost connection, a phone.
//
// Usage: node dashboard.mjs LARUM [FOLDER for screenshots]. Needs Debian's chromium and `npm install` in this folder.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { chromium } from "playwright-core";

const larum = resolve(process.argv[2]);
const shots = resolve(process.argv[3] ?? "screenshots");
const PORT = 19491;
const base = `http://127.0.0.1:${PORT}`;
const WITHIN = 30000;

const folder = mkdtempSync(join(tmpdir(), "larum-browser-"));
mkdirSync(shots, { recursive: true });
mkdirSync(join(folder, "rules"));
mkdirSync(join(folder, "channels"));
writeFileSync(join(folder, "larum.yaml"), `listen: 127.0.0.1:${PORT}\ncollectors: [{ type: push }]\n`);
writeFileSync(join(folder, "channels/console.yaml"), "type: console\n");
writeFileSync(join(folder, "rules/service.rhai"), `rule("high_error_rate", #{
    on: "service",
    when: |s| s.error_rate > 0.1,
    cooldown: "1s",
    level: |s| if s.error_rate > 0.5 { "critical" } else { "warning" },
    message: |s| \`\${s.name}: \${percent(s.error_rate)} of calls fail\`,
});
`);

function start() {
  const daemon = spawn(larum, ["run"], { cwd: folder, stdio: "ignore" });
  daemon.ended = new Promise((done) => daemon.once("exit", done));
  return daemon;
}

async function until(what, isSo, within = WITHIN) {
  const end = Date.now() + within;
  for (;;) {
    const found = await Promise.resolve().then(isSo).catch(() => null);
    if (found) return found;
    if (Date.now() > end) throw new Error(`${what}: not within ${within} ms`);
    await new Promise((go) => setTimeout(go, 50));
  }
}

async function push(snapshots) {
  const answer = await fetch(`${base}/api/v1/snapshots`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(snapshots) });
  assert.equal(answer.status, 200, await answer.text());
}

const service = (name, errorRate, time) => ({ kind: "service", name, ...(time ? { time } : {}), labels: { region: "eu" }, fields: { error_rate: errorRate, response_time_seconds: 0.2, status: "running" } });

let daemon = start();
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
const faults = [];

async function open(hash, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: "en-US", ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(WITHIN);
  page.on("pageerror", (error) => faults.push(`${hash}: ${error.message}`));
  page.on("console", (said) => said.type() === "error" && !/Failed to load resource|ERR_CONNECTION/.test(said.text()) && faults.push(`${hash}: ${said.text()}`));
  await page.goto(`${base}/#${hash}`);
  return page;
}

async function close(page, name) {
  await page.waitForTimeout(400); // Only for the picture: charts are drawn in the next frame.
  await page.screenshot({ path: join(shots, `${name}.png`) });
  await page.context().close();
}

try {
  await until("the daemon", async () => (await fetch(`${base}/readyz`)).ok);
  // An hour, with a gap and a time in which it fired.
  const now = Date.now();
  for (let minutes = 60; minutes > 0; minutes -= 1) {
    if (minutes > 20 && minutes < 28) continue;
    const time = new Date(now - minutes * 60000).toISOString();
    const rate = minutes > 35 && minutes < 42 ? 0.3 : 0.02 + (minutes % 5) / 100;
    await push([service("shop-api", rate, time), service("pay-api", 0.01, time)]);
  }
  await push([service("shop-api", 0.02), service("pay-api", 0.01)]);

  let page = await open("/");
  await page.getByText("Nothing fires.").waitFor();
  // What happens is shown at once, without a reload.
  await push([service("shop-api", 0.3), service("pay-api", 0.01)]);
  await page.locator(".alert", { hasText: "shop-api: 30% of calls fail" }).waitFor();
  await page.locator(".alert .values", { hasText: "error_rate 0.3 asked: s.error_rate > 0.1" }).waitFor();
  const tile = page.locator(".tile", { hasText: "pay-api" });
  await push([service("pay-api", 0.0425)]);
  await page.waitForFunction(() => [...document.querySelectorAll(".tile")].some((tile) => tile.textContent.includes("pay-api") && tile.textContent.includes("0.0425")));
  assert.ok((await tile.locator("svg path").count()) === 1, "a sparkline");
  // By keys: to the alert, acknowledge it, and silence it.
  await page.keyboard.press("j");
  await page.keyboard.press("a");
  await page.getByPlaceholder("comment").fill("looking at it");
  await page.keyboard.press("Enter");
  await page.locator(".alert .tag", { hasText: "acknowledged" }).waitFor();
  await page.keyboard.press("j");
  await page.keyboard.press("s");
  await page.getByText("covers now").waitFor();
  await page.locator("dialog").screenshot({ path: join(shots, "silence.png") });
  await page.locator("dialog button[type=submit]").click();
  await page.locator(".alert .tag", { hasText: "silenced" }).waitFor();
  await close(page, "now");

  page = await open("/silences");
  await page.locator("td", { hasText: "high_error_rate" }).waitFor();
  await page.getByRole("button", { name: "End", exact: true }).click();
  await page.getByText("Nobody is silenced.").waitFor();
  await close(page, "silences");

  page = await open("/subject/service/shop-api");
  await page.locator("figure canvas").first().waitFor();
  await page.locator("td code", { hasText: "error_rate" }).waitFor();
  await page.getByRole("button", { name: "24h" }).click();
  await page.locator("button.primary", { hasText: "24h" }).waitFor();
  await close(page, "subject");

  page = await open("/alerts");
  await page.locator("tbody tr").first().waitFor();
  assert.ok((await page.locator("tbody tr").count()) >= 2, "the one that ended, and the one that fires");
  await page.locator("tbody a", { hasText: "firing" }).click();
  await page.locator(".timeline li", { hasText: "raised" }).first().waitFor();
  await page.locator(".timeline li", { hasText: "delivered" }).first().waitFor();
  await close(page, "alert");

  page = await open("/rules");
  await page.locator("tbody a", { hasText: "high_error_rate" }).click();
  await page.locator(".codeline.marked", { hasText: "high_error_rate" }).waitFor();
  await close(page, "rule");

  page = await open("/why/high_error_rate/service/shop-api");
  await page.locator(".verdict.fire").waitFor();
  await page.locator(".expressions", { hasText: "s.error_rate > 0.1" }).waitFor();
  await close(page, "why");

  page = await open("/lab/high_error_rate");
  await page.waitForFunction(() => document.querySelector("textarea")?.value.includes("0.1"));
  const text = await page.locator("textarea").inputValue();
  await page.locator("textarea").fill(text.replace("> 0.1,", "> 0.03,"));
  await page.getByRole("button", { name: "Run" }).click();
  await page.getByText("What would have happened").waitFor();
  await page.locator("td .added").first().waitFor();
  await page.locator("figure canvas").waitFor();
  await close(page, "lab");
  page = await open("/lab/high_error_rate");
  await page.waitForFunction(() => document.querySelector("textarea")?.value.includes("0.1"));
  await page.locator("textarea").fill("rule(");
  await page.getByRole("button", { name: "Run" }).click();
  await page.locator("pre.problem", { hasText: "rules/service.rhai:1" }).waitFor();
  await close(page, "lab-problem");

  page = await open("/channels");
  await page.locator("td", { hasText: "console" }).first().waitFor();
  await page.getByRole("button", { name: "Test" }).click();
  await page.locator("#notice", { hasText: "a sample is on its way" }).waitFor();
  await close(page, "channels");

  page = await open("/", { viewport: { width: 390, height: 844 }, colorScheme: "dark", locale: "zh-CN" });
  await page.locator(".alert", { hasText: "shop-api" }).waitFor();
  await page.getByRole("link", { name: "告警", exact: true }).waitFor();
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(wide <= 0, `a phone has to scroll sideways by ${wide} pixels`);
  await close(page, "phone");

  // A broken edit cannot be missed.
  page = await open("/");
  await page.locator(".alert").first().waitFor();
  writeFileSync(join(folder, "rules/broken.rhai"), "rule(");
  await page.locator(".problem.error", { hasText: "rules/broken.rhai" }).waitFor();
  // The daemon goes, and comes back.
  daemon.kill("SIGKILL");
  await daemon.ended;
  await page.locator("#lost", { hasText: "Lost the connection" }).waitFor();
  await page.screenshot({ path: join(shots, "lost.png") });
  assert.ok((await page.locator(".alert").count()) > 0, "the last picture stays");
  daemon = start();
  await page.locator("#lost").waitFor({ state: "hidden" });
  await page.locator(".alert", { hasText: "shop-api" }).waitFor();
  await close(page, "back");
  assert.deepEqual(faults, []);
  console.log(`the dashboard works; screenshots are in ${shots}`);
} finally {
  await browser.close();
  daemon.kill("SIGTERM");
  await daemon.ended;
}
