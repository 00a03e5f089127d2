#!/usr/bin/env python3
"""What Prometheus makes of /metrics: promtool finds nothing wrong in it, and a Prometheus that scrapes it answers as it should.

Needs `prometheus` and `promtool` (Debian: prometheus). Usage: scrape.py LARUM, from the root of the repository.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
LARUM, PROMETHEUS = 19481, 19482
SECRETS = {"WECOM_WEBHOOK": "http://127.0.0.1:1/x?key=k", "SMTP_HOST": "127.0.0.1", "SMTP_USER": "a@example.com",
           "SMTP_PASSWORD": "x", "ONCALL_MAIL": "b@example.com"}
BOT = {"kind": "business", "name": "consult-bot", "fields": {
    "messages_total": 1200, "messages_errors_total": 3, "processing_seconds": 0.8, "consultations_total": 80,
    "cases_total": 9, "satisfaction_score": 4.6}}
SERVICE = {"kind": "service", "name": "shop-api", "labels": {"region": "e\"u"}, "fields": {
    "up": True, "response_time_seconds": 0.25, "latency_seconds_bucket{le=\"0.5\"}": 3,
    "latency_seconds_bucket{le=\"+Inf\"}": 4, "latency_seconds_sum": 1.5, "latency_seconds_count": 4}}
# A query, and what it gives.
QUERIES = [
    ("wecom_messages_total", 1200), ("wecom_messages_errors_total", 3), ("wecom_message_processing_seconds", 0.8),
    ("consultations_total", 80), ("cases_total", 9), ("average_satisfaction_score", 4.6),
    ("service_up{name=\"shop-api\",region=\"e\\\"u\"}", 1), ("service_response_time_seconds", 0.25),
    ("service_latency_seconds_bucket{le=\"0.5\"}", 3), ("service_latency_seconds_count", 4),
    ("sum(larum_channel_unaccounted)", 0), ("count(larum_build_info)", 1), ("larum_alerting", 1),
    ("larum_subjects{kind=\"business\"}", 1), ("sum(larum_snapshots_total{result=\"refused\"})", 0),
    ("system_memory_usage_percent > bool 0", 1), ("larum_collector_up{collector=\"host\"}", 1),
    ("sum(larum_evaluations_total{rule=\"message_errors\"}) >= bool 0", 1),
    ("larum_step_duration_seconds_count > bool 0", 1),
]


def get(url, **headers):
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
        return answer.read().decode()


def wait(what, is_so):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            found = is_so()
            if found:
                return found
        except (urllib.error.URLError, ConnectionError):
            pass
        time.sleep(0.1)
    sys.exit(f"{what} did not come in time")


def ask(query):
    url = f"http://127.0.0.1:{PROMETHEUS}/api/v1/query?query={urllib.parse.quote(query)}"
    return [float(found["value"][1]) for found in json.loads(get(url))["data"]["result"]]


def main():
    larum = os.path.abspath(sys.argv[1])
    folder = pathlib.Path(tempfile.mkdtemp())
    subprocess.run(["cp", "-r", f"{ROOT}/examples/wecom-bot/.", str(folder)], check=True)
    config = (folder / "larum.yaml").read_text().replace("127.0.0.1:8001", f"127.0.0.1:{LARUM}").replace("every: 10s", "every: 1s")
    (folder / "larum.yaml").write_text(config)
    scrape = (ROOT / "examples/grafana/prometheus.yml").read_text()
    (folder / "prometheus.yml").write_text(scrape.replace("127.0.0.1:8001", f"127.0.0.1:{LARUM}").replace("15s", "1s"))
    running = [subprocess.Popen([larum, "run"], cwd=folder, env={**os.environ, **SECRETS}, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)]
    try:
        base = f"http://127.0.0.1:{LARUM}"
        wait("larum", lambda: "ready" in get(f"{base}/readyz"))
        request = urllib.request.Request(f"{base}/api/v1/snapshots", json.dumps([BOT, SERVICE]).encode(), {"content-type": "application/json"})
        urllib.request.urlopen(request, timeout=10).read()
        wait("a pass of the host", lambda: "larum_collector_up{collector=\"host\"} 1" in get(f"{base}/metrics"))
        text = get(f"{base}/metrics")
        checked = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, capture_output=True)
        # Fields are called by who pushes them: of these promtool may have an opinion.
        own = [line for line in (checked.stdout + checked.stderr).splitlines() if re.match(r"(larum|process|system|service)_|.*error", line)]
        assert not own and checked.returncode in (0, 3), "\n".join(own) or checked.stderr
        open_metrics = get(f"{base}/metrics", accept="application/openmetrics-text; version=1.0.0")
        assert open_metrics.endswith("\n# EOF\n")
        running.append(subprocess.Popen(
            ["prometheus", "--config.file=prometheus.yml", f"--web.listen-address=127.0.0.1:{PROMETHEUS}", "--storage.tsdb.path=tsdb"],
            cwd=folder, stderr=subprocess.DEVNULL))
        wait("a scrape", lambda: ask("up{job=\"larum\"}") == [1.0])
        for query, expected in QUERIES:
            found = wait(f"an answer to {query}", lambda: ask(query))
            assert found == [float(expected)], f"{query}: {found}, not {expected}"
        # All that the dashboard shows exists.
        dashboard = json.loads((ROOT / "examples/grafana/larum.json").read_text())
        shown = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
        for expression in shown:
            ask(expression)
            for name in re.findall(r"\b(?:larum|process|system|service)_\w+", expression):
                wait(f"{name}, which the dashboard shows", lambda: re.search(rf"^{name}\b", get(f"{base}/metrics"), re.M))
        print(f"{len(QUERIES)} queries and {len(shown)} panels are answered")
    finally:
        for process in running:
            process.terminate()
            process.wait()


main()
