#!/usr/bin/env python3
"""Measures the rule lab: python3 (standard library); beside promtool where it is installed (Debian: prometheus).

Usage: lab.py [--larum target/release/larum] [--runs 3] tests|shipped|replay|all

tests    rule tests of 100 services over one day at one minute with ten rules: evaluations per second and memory,
         `larum test` and `promtool test rules` in turn
shipped  `larum test` of the project's own rules, start included
replay   a recording of 1,000 services over 24 h at 10 s (8.6 million lines, 1.5 GB) over the same ten rules
"""

import argparse
import datetime
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent

RULES = """
rule("threshold", #{ on: "service", when: |s| s.error_rate > 0.5 });
rule("threshold_for", #{ on: "service", when: |s| s.error_rate > 0.5, hold: "5m" });
rule("rate5m", #{ on: "service", when: |s| s.rate("total_calls", "5m") > 9 });
rule("ratio5m", #{ on: "service", when: |s| s.rate("failed_calls", "5m") / s.rate("total_calls", "5m") > 0.5 });
rule("avg5m", #{ on: "service", when: |s| s.avg("avg_response_time", "5m") > 9000 });
rule("quantile5m", #{ on: "service", when: |s| s.quantile("avg_response_time", 0.95, "5m") > 11000 });
rule("predict5m", #{ on: "service", when: |s| s.forecast("total_calls", "5m", "1h") > 1e9 });
rule("zscore5m", #{ on: "service", when: |s| s.zscore("avg_response_time", "5m") > 3 });
rule("zscore1h", #{ on: "service", when: |s| s.zscore("avg_response_time", "1h") > 3.5 });
rule("absent", #{ over: "service", when: |g| g.len() == 0 });
"""

PROMTOOL_RULES = """groups:
- name: g
  rules:
  - {alert: threshold, expr: 'error_rate > 0.5'}
  - {alert: threshold_for, expr: 'error_rate > 0.5', for: 5m}
  - {alert: rate5m, expr: 'rate(total_calls[5m]) > 9'}
  - {alert: ratio5m, expr: 'rate(failed_calls[5m]) / rate(total_calls[5m]) > 0.5'}
  - {alert: avg5m, expr: 'avg_over_time(avg_response_time[5m]) > 9000'}
  - {alert: quantile5m, expr: 'quantile_over_time(0.95, avg_response_time[5m]) > 11000'}
  - {alert: predict5m, expr: 'predict_linear(total_calls[5m], 3600) > 1e9'}
  - {alert: zscore5m, expr: '(avg_response_time - avg_over_time(avg_response_time[5m])) / stddev_over_time(avg_response_time[5m]) > 3'}
  - {alert: zscore1h, expr: '(avg_response_time - avg_over_time(avg_response_time[1h])) / stddev_over_time(avg_response_time[1h]) > 3.5'}
  - {alert: absent, expr: 'absent(status)'}
"""

TEST = """
test("a day of many services", |t| {
    t.every("1m");
    for i in 0..100 {
        let s = t.subject("service", `svc${i}`);
        s.set(#{ status: 1 });
        s.series("error_rate", if i == 0 { "0x1379 0.9x60" } else { "0.01x1440" });
        s.series("avg_response_time", `${100 + i}+0.1x1440`);
        s.series("total_calls", `0+${60 + i}x1440`);
        s.series("failed_calls", "0+1x1440");
    }
    t.advance("24h");
    t.expect_firing("threshold_for", "svc0");
});
"""


def promtool_test():
    text = "rule_files: [rules.yml]\nevaluation_interval: 1m\ntests:\n- interval: 1m\n  input_series:\n"
    for i in range(100):
        label = f'service="svc{i}"'
        errors = "0x1379 0.9x60" if i == 0 else "0.01x1440"
        series = {"status": "1x1440", "error_rate": errors, "avg_response_time": f"{100 + i}+0.1x1440",
                  "total_calls": f"0+{60 + i}x1440", "failed_calls": "0+1x1440"}
        for name, values in series.items():
            text += f"  - {{series: '{name}{{{label}}}', values: '{values}'}}\n"
    text += "  alert_rule_test:\n  - eval_time: 1440m\n    alertname: threshold_for\n"
    text += "    exp_alerts: [{exp_labels: {service: svc0}}]\n"
    return text


def measured(command, folder):
    """Runs a command: wall seconds, CPU seconds, peak MiB."""
    began = time.monotonic()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = process.stdout.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - began
    if process.returncode != 0:
        raise SystemExit(f"{command} failed:\n{output[-2000:]}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, output


def told(name, runs, evaluations=None):
    wall, cpu, memory = (statistics.median(run[index] for run in runs) for index in range(3))
    rate = f"  {evaluations / wall:12,.0f} evaluations/s" if evaluations else ""
    print(f"{name:28} {wall:8.2f} s wall {cpu:8.2f} s CPU {memory:8.0f} MiB{rate}")
    return wall


def tests(larum, runs, folder):
    (folder / "rules").mkdir()
    (folder / "rules/bench.rhai").write_text(RULES)
    (folder / "rules/bench.test.rhai").write_text(TEST)
    (folder / "rules.yml").write_text(PROMTOOL_RULES)
    (folder / "test.yml").write_text(promtool_test())
    ours, theirs = [], []
    for _ in range(runs):
        ours.append(measured([larum, "test"], folder))
        if shutil.which("promtool"):
            theirs.append(measured(["promtool", "test", "rules", "test.yml"], folder))
    evaluations = 100 * 10 * 1441
    wall = told("larum test", ours, evaluations)
    if theirs:
        ratio = told("promtool test rules", theirs, evaluations) / wall
        print(f"{'':28} {ratio:8.1f} times promtool")


def shipped(larum, runs, folder):
    told("larum test, shipped rules", [measured([larum, "--dir", str(ROOT), "test"], folder) for _ in range(runs)])


def replay(larum, runs, folder, services=1000, hours=24):
    (folder / "rules").mkdir(exist_ok=True)
    (folder / "rules/bench.rhai").write_text(RULES)
    recording = folder / "recording.jsonl"
    with open(recording, "w", buffering=1 << 20) as out:
        for step in range(hours * 360):
            at = datetime.datetime.fromtimestamp(1795255200 + step * 10, datetime.timezone.utc)
            at = at.strftime("%Y-%m-%dT%H:%M:%SZ")
            for i in range(services):
                errors = "0.9" if i % 100 == 0 and (step // 90) % 8 == 3 else "0.01"
                out.write(f'{{"time":"{at}","kind":"service","name":"svc{i:04d}","fields":{{"status":1,'
                          f'"error_rate":{errors},"avg_response_time":{100 + i + step % 7},'
                          f'"total_calls":{(60 + i % 30) * step},"failed_calls":{step}}}}}\n')
    runs = [measured([larum, "replay", "recording.jsonl", "--format", "json"], folder) for _ in range(runs)]
    told(f"replay {services} x {hours} h", runs, services * hours * 360 * 10)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--larum", default=str(ROOT / "target/release/larum"))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("what", choices=["tests", "shipped", "replay", "all"])
    args = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for name, measure in {"tests": tests, "shipped": shipped, "replay": replay}.items():
        if args.what in (name, "all"):
            with tempfile.TemporaryDirectory() as folder:
                measure(str(pathlib.Path(args.larum).resolve()), args.runs, pathlib.Path(folder))


if __name__ == "__main__":
    main()
