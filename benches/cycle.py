#!/usr/bin/env python3
"""Larum and Prometheus side by side, as daemons: ten rules over many services, every ten seconds.

Needs `prometheus` and `promtool` (Debian: prometheus) and a release build of larum; python3 (standard library).

Usage: cycle.py [--larum target/release/larum] [--services 10000] [--cycles 6] [--skip-prometheus]

Both are given the same hour of samples first. Larum is then pushed to as JSON every ten seconds; Prometheus scrapes the same
values. Printed are medians over the cycles: of Larum how long a push takes until it is judged and stored (`durable`), of
Prometheus how long its rule group takes; and of both the CPU time of the whole process for each cycle, in which Larum's has
parsing, judging and storing, and Prometheus' scraping, storing and evaluating.
"""

import argparse
import http.server
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
EVERY = 10
HISTORY = 360
LARUM, PROMETHEUS, EXPORTER = 19471, 19472, 19473

# Name, Larum's condition and other keys, PromQL, `for`.
SHAPES = [
    ("threshold", "s.error_rate > 0.5", "", "error_rate > 0.5", ""),
    ("threshold_held", "s.error_rate > 0.5", ', hold: "30s"', "error_rate > 0.5", "30s"),
    ("rate_5m", 's.rate("total_calls", "5m") > 9', "", "rate(total_calls[5m]) > 9", ""),
    ("ratio_5m", 's.rate("failed_calls", "5m") / s.rate("total_calls", "5m") > 0.5', "",
     "rate(failed_calls[5m]) / rate(total_calls[5m]) > 0.5", ""),
    ("avg_5m", 's.avg("avg_response_time", "5m") > 900', "", "avg_over_time(avg_response_time[5m]) > 900", ""),
    ("quantile_5m", 's.quantile("avg_response_time", 0.95, "5m") > 1100', "",
     "quantile_over_time(0.95, avg_response_time[5m]) > 1100", ""),
    ("forecast_5m", 's.forecast("total_calls", "5m", "1h") > 1e9', "", "predict_linear(total_calls[5m], 3600) > 1e9", ""),
    ("zscore_5m", 's.zscore("avg_response_time", "5m") > 3', "",
     "(avg_response_time - avg_over_time(avg_response_time[5m])) / stddev_over_time(avg_response_time[5m]) > 3", ""),
    ("zscore_1h", 's.zscore("avg_response_time", "1h") > 3.5', "",
     "(avg_response_time - avg_over_time(avg_response_time[1h])) / stddev_over_time(avg_response_time[1h]) > 3.5", ""),
]


def values(n, tick):
    """What service `n` reports at a tick; one in a hundred breaks the thresholds."""
    group = n % 100
    wave = (tick * 7919 + group * 104729) % 1000 / 1000
    bad = group == 0
    return {
        "status": 0 if bad else 1,
        "error_rate": 0.9 if bad else round(0.1 * wave, 4),
        "avg_response_time": round((1000 if bad else 100 + group) + 200 * wave, 2),
        "total_calls": tick % 1_000_000 * (100 if bad else 10 + group % 70),
        "failed_calls": tick % 1_000_000 * (80 if bad else 1),
    }


def groups(tick):
    return [values(n, tick) for n in range(100)]


def cpu(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def get(url, body=None):
    headers = {"Content-Type": "application/json"} if body else {}
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=120) as answer:
        return answer.read().decode()


def wait_for(url):
    for _ in range(600):
        try:
            return get(url)
        except (OSError, urllib.error.URLError):
            time.sleep(0.1)
    raise SystemExit(f"{url} does not answer")


def row(name, durations, spent):
    print(f"{name:<12} {statistics.median(durations) * 1000:8.0f} ms   CPU {statistics.median(spent) * 1000:8.0f} ms  a cycle, "
          f"of {len(durations)}")
    return statistics.median(durations), statistics.median(spent)


def next_tick():
    time.sleep(EVERY - time.time() % EVERY)
    return int(time.time()) // EVERY


def larum(options, folder):
    (folder / "rules").mkdir()
    (folder / "channels").mkdir()
    (folder / "larum.yaml").write_text(
        f"listen: 127.0.0.1:{LARUM}\nhistory: {{ memory: 65m, memory_limit: 4GiB }}\nroutes: [ {{ to: [] }} ]\n")
    rules = [f'rule("{name}", #{{ on: "service", when: |s| {when}{keys} }});\n' for name, when, keys, _, _ in SHAPES]
    rules.append('rule("absent", #{ over: "service", when: |g| g.len() == 0 });\n')
    (folder / "rules" / "ten.rhai").write_text("".join(rules))
    log = open(folder / "log", "w")
    daemon = subprocess.Popen([options.larum, "--dir", folder, "run"], stdout=log, stderr=log)
    url = f"http://127.0.0.1:{LARUM}/api/v1"
    wait_for(f"{url}/rules")

    def body(tick):
        known = groups(tick)
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(tick * EVERY))
        items = [{"kind": "service", "name": f"svc{n:06}", "time": when, "fields": known[n % 100]}
                 for n in range(options.services)]
        return json.dumps(items).encode()

    def push(text):
        answer = json.loads(get(f"{url}/snapshots", text))
        if answer["taken"] != options.services or not answer["durable"]:
            raise SystemExit(f"not all was taken: {answer}")

    now = int(time.time()) // EVERY
    for tick in range(now - HISTORY, now):
        push(body(tick))
    durations, spent, before = [], [], None
    for _ in range(options.cycles + 1):
        text = body(next_tick())
        began = time.time()
        push(text)
        durations.append(time.time() - began)
        after = cpu(daemon.pid)
        if before is not None:
            spent.append(after - before)
        before = after
    daemon.terminate()
    daemon.wait()
    return row("Larum", durations[1:], spent)


def exporter(services):
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            known = groups(int(time.time()) // EVERY)
            lines = [f'{field}{{service="svc{n:06}"}} {known[n % 100][field]}' for field in known[0] for n in range(services)]
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(("\n".join(lines) + "\n").encode())

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", EXPORTER), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def prometheus(options, folder):
    now = int(time.time()) // EVERY
    known = {tick: groups(tick) for tick in range(now - HISTORY, now)}
    with open(folder / "history.om", "w") as out:
        for field in known[now - 1][0]:
            out.write(f"# TYPE {field} gauge\n")
            for n in range(options.services):
                series = f'{field}{{service="svc{n:06}",instance="services",job="services"}}'
                out.writelines(f"{series} {known[tick][n % 100][field]} {tick * EVERY}\n" for tick in known)
        out.write("# EOF\n")
    run = ["promtool", "tsdb", "create-blocks-from", "openmetrics", folder / "history.om", folder / "data"]
    subprocess.run(run, check=True, stdout=subprocess.DEVNULL)
    (folder / "history.om").unlink()
    alert = lambda name, expr, wait: {"alert": name, "expr": expr, **({"for": wait} if wait else {})}
    rules = [alert(name, expr, wait) for name, _, _, expr, wait in SHAPES] + [alert("absent", 'absent(status{service="none"})', "")]
    (folder / "rules.yml").write_text(json.dumps({"groups": [{"name": "ten", "interval": f"{EVERY}s", "rules": rules}]}))
    relabel = [{"target_label": "instance", "replacement": "services"}]
    job = {"job_name": "services", "static_configs": [{"targets": [f"127.0.0.1:{EXPORTER}"]}], "relabel_configs": relabel}
    (folder / "prometheus.yml").write_text(json.dumps(
        {"global": {"scrape_interval": f"{EVERY}s"}, "rule_files": [str(folder / "rules.yml")], "scrape_configs": [job]}))
    exporter(options.services)
    log = open(folder / "log", "w")
    daemon = subprocess.Popen(
        ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
         f"--web.listen-address=127.0.0.1:{PROMETHEUS}"], stdout=log, stderr=log)
    url = f"http://127.0.0.1:{PROMETHEUS}/metrics"
    wait_for(url)
    time.sleep(3 * EVERY)
    durations, spent, before = [], [], cpu(daemon.pid)
    for _ in range(options.cycles):
        time.sleep(EVERY)
        after = cpu(daemon.pid)
        spent.append(after - before)
        before = after
        last = [line for line in get(url).splitlines() if line.startswith("prometheus_rule_group_last_duration_seconds{")]
        durations.append(float(last[0].rsplit(" ", 1)[1]))
    daemon.terminate()
    daemon.wait()
    return row("Prometheus", durations, spent)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--larum", type=pathlib.Path, default=ROOT / "target" / "release" / "larum")
    parser.add_argument("--services", type=int, default=10_000)
    parser.add_argument("--cycles", type=int, default=6)
    parser.add_argument("--skip-prometheus", action="store_true", help="only Larum")
    options = parser.parse_args()
    print(f"{options.services} services, ten rules, medians")
    with tempfile.TemporaryDirectory() as folder:
        ours = larum(options, pathlib.Path(folder))
    if not options.skip_prometheus:
        with tempfile.TemporaryDirectory() as folder:
            theirs = prometheus(options, pathlib.Path(folder))
        print(f"Prometheus takes {theirs[0] / ours[0]:.1f} times as long, and {theirs[1] / ours[1]:.1f} times the CPU")


main()
