// What the dashboard takes: bytes that are sent, times to the first content, until it is live and until a push is shown (the
// median of five), and the page's memory.
//
// Usage: node dashboard.mjs LARUM [subjects..] [--minutes N] [--pages N], in a folder with tests/browser's node_modules, with Debian's
// chromium. Services are pushed every five seconds; a twentieth of them fires.
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { chromium } from "playwright-core";

const larum = resolve(process.argv[2]);
const rest = process.argv.slice(3);
const option = (name) => {
  const at = rest.indexOf(name);
  return at >= 0 ? Number(rest.splice(at, 2)[1]) : 1;
};
const [minutes, pages] = [option("--minutes"), option("--pages")];
const counts = rest.length > 0 ? rest.map(Number) : [10, 1000, 10000];
const PORT = 19495;
const base = `http://127.0.0.1:${PORT}`;

async function push(count, live) {
  const snapshots = Array.from({ length: count }, (_, n) => ({ kind: "service", name: `svc-${String(n).padStart(5, "0")}`, labels: { region: "eu" },
    fields: { error_rate: (n % 20 === 7 ? 0.3 : 0.01) + (live % 97) / 10000, response_time_seconds: 0.2, total_calls: live * 10, status: "running", up: 1 } }));
  await fetch(`${base}/api/v1/snapshots`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(snapshots) }).then((answer) => answer.text());
}

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--enable-precise-memory-info"] });
for (const count of counts) {
  const folder = mkdtempSync(join(tmpdir(), "larum-bench-"));
  for (const part of ["rules", "channels"]) mkdirSync(join(folder, part));
  writeFileSync(join(folder, "larum.yaml"), `listen: 127.0.0.1:${PORT}\ncollectors: [{ type: push }]\n`);
  writeFileSync(join(folder, "channels/console.yaml"), "type: console\n");
  writeFileSync(join(folder, "rules/r.rhai"), 'rule("high_error_rate", #{ on: "service", when: |s| s.error_rate > 0.1 });\n');
  const daemon = spawn(larum, ["run"], { cwd: folder, stdio: "ignore" });
  for (;;) if (await fetch(`${base}/readyz`).then((answer) => answer.ok, () => false)) break; else await new Promise((go) => setTimeout(go, 50));
  let turn = 1;
  await push(count, turn);
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const page = await context.newPage();
  const session = await context.newCDPSession(page);
  await session.send("Network.enable");
  let bytes = 0;
  session.on("Network.dataReceived", ({ encodedDataLength }) => (bytes += encodedDataLength));
  const began = performance.now();
  await page.goto(`${base}/`, { waitUntil: "commit" });
  await page.locator(".tile").first().waitFor();
  const content = performance.now() - began;
  const sent = bytes;
  await page.locator(".live:not(.lost)").waitFor();
  const live = performance.now() - began;
  const news = [];
  for (let time = 0; time < 5; time++) {
    const shown = await page.locator(".tile .own").last().textContent();
    const pushed = performance.now();
    const [, taken] = await Promise.all([
      page.waitForFunction((before) => [...document.querySelectorAll(".tile .own")].at(-1)?.textContent !== before, shown, { timeout: 60000 }),
      push(count, ++turn).then(() => performance.now() - pushed),
    ]);
    news.push([performance.now() - pushed, taken]);
  }
  const [shownAfter, taken] = news.sort(([a], [b]) => a - b)[2];
  const feed = setInterval(() => push(count, ++turn), 5000);
  const heap = async () => {
    await session.send("HeapProfiler.collectGarbage");
    return (await page.evaluate(() => performance.memory.usedJSHeapSize)) / 1048576;
  };
  const first = await heap();
  for (let more = 1; more < pages; more++) await (await context.newPage()).goto(`${base}/`);
  // In clock ticks, a hundred each second.
  const cpu = () => readFileSync(`/proc/${daemon.pid}/stat`, "utf8").split(") ")[1].split(" ").slice(11, 13).reduce((sum, it) => sum + Number(it), 0) / 100;
  const used = cpu();
  await new Promise((go) => setTimeout(go, minutes * 60000));
  const last = await heap();
  const memory = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${daemon.pid}/status`, "utf8"))[1] / 1024;
  console.log(`${String(count).padStart(6)} subjects: ${(sent / 1024).toFixed(0)} kB until the first content, ${content.toFixed(0)} ms; live after ${live.toFixed(0)} ms; a push, taken in ${taken.toFixed(0)} ms, is shown after ${shownAfter.toFixed(0)} ms; heap ${first.toFixed(1)} MiB, after ${minutes} min ${last.toFixed(1)} MiB; ${(bytes / 1024 / minutes).toFixed(0)} kB/min; with ${pages} pages the daemon holds ${memory.toFixed(0)} MiB and takes ${(((cpu() - used) / minutes / 60) * 100).toFixed(1)} % of a CPU`);
  clearInterval(feed);
  await context.close();
  daemon.kill("SIGTERM");
  await new Promise((done) => daemon.once("exit", done));
}
await browser.close();
