#!/usr/bin/env python3
"""What the API takes, while rules are evaluated: requests per second and p99 by wrk (Debian: wrk), and an export of a week.

Usage: api.py LARUM [--subjects 10000] [--seconds 10] [--series 1000] [--days 7]

10,000 services are pushed every ten seconds over ten rules; wrk asks over two connections. The export is of a data folder in
which a week of 1,000 series, one sample a minute, was stored through the daemon.
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import tempfile
import threading
import time
import urllib.request

PORT = 19497
BASE = f"http://127.0.0.1:{PORT}"


def project(rules):
    folder = pathlib.Path(tempfile.mkdtemp())
    for part in ("rules", "channels"):
        (folder / part).mkdir()
    (folder / "larum.yaml").write_text(f"listen: 127.0.0.1:{PORT}\ncollectors: [{{ type: push }}]\n")
    (folder / "channels/console.yaml").write_text("type: console\n")
    (folder / "rules/r.rhai").write_text("".join(
        f'rule("rule_{n}", #{{ on: "service", when: |s| s.avg("value", "5m") > {1000 + n} }});\n' for n in range(rules)))
    return folder


def start(larum, folder):
    daemon = subprocess.Popen([larum, "run"], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(600):
        try:
            urllib.request.urlopen(f"{BASE}/readyz", timeout=5).read()
            return daemon
        except OSError:
            time.sleep(0.05)
    raise SystemExit("larum did not start")


def push(snapshots):
    request = urllib.request.Request(f"{BASE}/api/v1/snapshots", json.dumps(snapshots).encode(), {"content-type": "application/json"})
    urllib.request.urlopen(request, timeout=120).read()


def services(count, turn):
    return [{"kind": "service", "name": f"svc-{n:05}", "fields": {"value": (n * 7 + turn) % 1000, "up": True}} for n in range(count)]


def requests(larum, subjects, seconds):
    folder = project(10)
    daemon = start(larum, folder)
    stop = threading.Event()

    def feed():
        turn = 0
        while not stop.is_set():
            push(services(subjects, turn))
            turn += 1
            stop.wait(10)

    push(services(subjects, 0))
    feeder = threading.Thread(target=feed)
    feeder.start()
    for path in ("/api/v1/alerts", "/api/v1/status", "/metrics", "/api/v1/dashboard"):
        out = subprocess.run(["wrk", "-t1", "-c2", f"-d{seconds}s", "--latency", f"{BASE}{path}"], capture_output=True, text=True).stdout
        rate, p99 = re.search(r"Requests/sec:\s+([\d.]+)", out), re.search(r"99%\s+(\S+)", out)
        print(f"{path:22} {float(rate.group(1)):9.0f} requests/s   p99 {p99.group(1)}", flush=True)
    stop.set()
    feeder.join()
    daemon.terminate()
    daemon.wait()


def export(larum, series, days):
    folder = project(0)
    daemon = start(larum, folder)
    began, end = time.monotonic(), time.time()
    minutes = days * 1440
    for minute in range(minutes):
        at = end - (minutes - minute) * 60
        push([{"time": at, "kind": "service", "name": f"svc-{n:05}", "fields": {"value": (n * 31 + minute * 17) % 1009 / 7}} for n in range(series)])
    print(f"stored {minutes * series:,} samples in {time.monotonic() - began:.0f} s")
    daemon.terminate()
    daemon.wait()
    for form in ("jsonl", "csv"):
        out = folder / f"out.{form}"
        began = time.monotonic()
        child = subprocess.Popen([larum, "export", "metrics", "-o", str(out)], cwd=folder, stderr=subprocess.DEVNULL)
        _, _, usage = os.wait4(child.pid, 0)
        size = out.stat().st_size / 1e6
        print(f"export {form:6} {time.monotonic() - began:6.1f} s   {usage.ru_maxrss / 1024:6.0f} MiB at the peak   {size:,.0f} MB")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("larum")
    parser.add_argument("--subjects", type=int, default=10000)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--series", type=int, default=1000)
    parser.add_argument("--days", type=int, default=7)
    args = parser.parse_args()
    larum = str(pathlib.Path(args.larum).resolve())
    requests(larum, args.subjects, args.seconds)
    export(larum, args.series, args.days)


main()
