#!/usr/bin/env python3
"""What others make of the same samples: answers that the window functions must agree with.

    python3 tests/oracle/vectors.py [--seed N] [--series N] [--output FILE]

Prometheus itself (2.42, Debian's package) is asked about random series with resets, gaps and jitter, numpy, scipy and
pandas (PyPI) about the functions that PromQL has not. `history::tests::vectors` reads the file: the one that is kept in
this folder, or the one that LARUM_VECTORS names.

Windows here are (t-w, t], while Prometheus 2.42 closes both ends: so no sample lies on a whole second, and every
question is asked at one.
"""

import argparse
import json
import math
import pathlib
import random
import socket
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request

START = 1_795_255_200  # Saturday, 21 November 2026, 10:00 in UTC
END = START + 1200
WINDOWS = [45, 300, 1100]
FORECAST_AHEAD = 3600
SHARES = [0.0, 0.25, 0.95]

# The name here, and what PromQL calls it.
PROMQL = {
    "avg": "avg_over_time({x}[{w}s])",
    "min": "min_over_time({x}[{w}s])",
    "max": "max_over_time({x}[{w}s])",
    "sum": "sum_over_time({x}[{w}s])",
    "stddev": "stddev_over_time({x}[{w}s])",
    "last": "last_over_time({x}[{w}s])",
    "delta": "delta({x}[{w}s])",
    "increase": "increase({x}[{w}s])",
    "rate": "rate({x}[{w}s])",
    "deriv": "deriv({x}[{w}s])",
    "forecast": "predict_linear({x}[{w}s], %d)" % FORECAST_AHEAD,
    "changes": "changes({x}[{w}s])",
    "resets": "resets({x}[{w}s])",
}


def times(rng):
    """About every 10 s, late or early, with holes; never on a whole second."""
    at, out = START * 1000 - 1_200_000, []
    while at < END * 1000:
        at += 10_000 + rng.choice([0, 0, 0, rng.randrange(-2000, 2000)])
        if rng.random() < 0.02:
            at += rng.randrange(20_000, 200_000)
        out.append(at - at % 1000 + rng.randrange(1, 1000))
    return sorted(set(out))


def values(rng, shape, n):
    value, out = {"counter": 1e4, "huge": 9e15}.get(shape, 0.0), []
    for k in range(n):
        if shape in ("counter", "huge"):
            value = 0.0 if rng.random() < 0.03 else value + rng.randrange(0, 500)
        elif shape == "walk":
            value += rng.gauss(0, 1)
        elif shape == "steps":
            value = float(rng.choice([0, 0, 0, 1, 5]))
        elif shape == "trend":
            value = 1e9 - 1234.5 * k + rng.gauss(0, 50)
        elif shape == "constant":
            value = 0.1
        elif shape == "noise":
            value = rng.gauss(100, 15) if rng.random() < 0.98 else 1e6
        out.append(value)
    return out


SHAPES = ["counter", "walk", "steps", "trend", "noise", "huge", "constant"]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Prometheus:
    """A server over blocks that are made from samples."""

    def __init__(self, folder, series):
        lines = []
        for name, samples in series.items():
            metric, _, labels = name.partition("{")
            lines.append((metric, ["%s%s %r %.3f" % (metric, labels and "{" + labels, v, t / 1000) for t, v in samples]))
        text, known = [], set()
        for metric, of_series in sorted(lines):
            if metric not in known:
                text.append("# TYPE %s unknown" % metric)
                known.add(metric)
            text += of_series
        source = folder / "samples.txt"
        source.write_text("\n".join(text + ["# EOF"]) + "\n")
        blocks = folder / "blocks"
        subprocess.run(["promtool", "tsdb", "create-blocks-from", "openmetrics", source, blocks], check=True,
                       stdout=subprocess.DEVNULL)
        (folder / "prometheus.yml").write_text("{}\n")
        port = free_port()
        self.url = "http://127.0.0.1:%d" % port
        self.process = subprocess.Popen(
            ["prometheus", "--config.file=%s/prometheus.yml" % folder, "--storage.tsdb.path=%s" % blocks,
             "--storage.tsdb.retention.time=100y", "--web.listen-address=127.0.0.1:%d" % port],
            stdout=subprocess.DEVNULL, stderr=(folder / "log").open("w"))
        deadline = time.monotonic() + 30
        while True:
            try:
                urllib.request.urlopen(self.url + "/-/ready").read()
                return
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise SystemExit("Prometheus does not start:\n" + (folder / "log").read_text())
                time.sleep(0.05)

    def ask(self, query, at):
        """The answer for each series, by its label `n`."""
        body = urllib.parse.urlencode({"query": query, "time": at}).encode()
        answer = json.load(urllib.request.urlopen(self.url + "/api/v1/query", body))
        return {one["metric"].get("n", ""): float(one["value"][1]) for one in answer["data"]["result"]}


def of_prometheus(rng, n_series, n_times):
    """Questions to Prometheus: `[function, argument, window in s, time in s, answer or null]`."""
    series, buckets = {}, {}
    for n in range(n_series):
        at = times(rng)
        series['x{n="%d"}' % n] = list(zip(at, values(rng, SHAPES[n % len(SHAPES)], len(at))))
    at = times(rng)
    counts = [0.0] * 5
    bounds = ["0.1", "0.5", "1", "10", "+Inf"]
    for moment in at:
        if rng.random() < 0.02:
            counts = [0.0] * 5
        for _ in range(rng.randrange(0, 6)):
            seen = rng.lognormvariate(-1, 1.5)
            counts = [count + (seen <= float(bound)) for count, bound in zip(counts, bounds)]
        for bound, count in zip(bounds, counts):
            buckets.setdefault(bound, []).append((moment, count))
    for bound, samples in buckets.items():
        series['y_bucket{n="y",le="%s"}' % bound] = samples
    asked_at = sorted(rng.sample(range(START, END), n_times))
    with tempfile.TemporaryDirectory() as folder:
        server = Prometheus(pathlib.Path(folder), series)
        try:
            answers = {str(n): [] for n in range(n_series)}
            histogram = []
            for when in asked_at:
                for window in WINDOWS:
                    for function, query in PROMQL.items():
                        got = server.ask(query.format(x="x", w=window), when)
                        argument = FORECAST_AHEAD if function == "forecast" else None
                        for n, rows in answers.items():
                            rows.append([function, argument, window, when, got.get(n)])
                    for share in SHARES:
                        got = server.ask("quantile_over_time(%r, x[%ds])" % (share, window), when)
                        for n, rows in answers.items():
                            rows.append(["quantile", share, window, when, got.get(n)])
                        got = server.ask("histogram_quantile(%r, rate(y_bucket[%ds]))" % (share, window), when)
                        value = got.get("y")
                        histogram.append(["quantile", share, window, when, None if value is None or math.isnan(value) else value])
        finally:
            server.process.terminate()
            server.process.wait()
    out = [{"fields": {"x": series['x{n="%s"}' % n]}, "field": "x", "asked": rows} for n, rows in answers.items()]
    fields = {'y_bucket{le="%s"}' % bound: samples for bound, samples in buckets.items()}
    return out + [{"fields": fields, "field": "y", "asked": histogram}]


def of_scipy(rng, n_series, n_times):
    """Questions to numpy, scipy and pandas, in the same form."""
    import numpy as np
    import pandas as pd
    from scipy import stats

    out = []
    for n in range(n_series):
        at = times(rng)
        samples = list(zip(at, values(rng, SHAPES[n % len(SHAPES)], len(at))))
        rows = []
        for when in sorted(rng.sample(range(START, END), n_times)):
            for window in WINDOWS:
                inside = [(t, v) for t, v in samples if (when - window) * 1000 < t <= when * 1000]
                x = np.array([v for _, v in inside])
                ask = lambda function, value: rows.append([function, None, window, when, value])
                if len(x) == 0:
                    for function in ("median", "ewma", "zscore", "robust_zscore"):
                        ask(function, None)
                    continue
                ask("median", float(np.median(x)))
                ask("stddev", float(np.std(x)))
                stamps = pd.to_datetime([t for t, _ in inside], unit="ms")
                halflife = pd.Timedelta(seconds=window) / 4
                ask("ewma", float(pd.Series(x).ewm(halflife=halflife, times=stamps).mean().iloc[-1]))
                if len(x) < 2:
                    ask("zscore", None)
                    ask("robust_zscore", None)
                    continue
                moves = bool(np.any(x != x[0]))
                ask("zscore", float(stats.zscore(x)[-1]) if moves else 0.0)
                spread = stats.median_abs_deviation(x, scale="normal")
                if spread == 0:
                    spread = np.mean(np.abs(x - np.median(x))) / math.sqrt(2 / math.pi)
                ask("robust_zscore", float((x[-1] - np.median(x)) / spread) if moves else 0.0)
                seconds = np.array([(t - START * 1000) / 1000 for t, _ in inside])
                ask("deriv", float(stats.linregress(seconds, x).slope))
        # The same time of the last periods: what the series had as of then, at most 5 minutes before.
        known = pd.Series([v for _, v in samples], index=pd.to_datetime([t for t, _ in samples], unit="ms"))
        for when in sorted(rng.sample(range(START, END), n_times)):
            past = [pd.Timestamp(when - 120 * back, unit="s") for back in range(1, 6)]
            near = [known[moment - pd.Timedelta(minutes=5):moment] for moment in past]
            found = [float(one.iloc[-1]) for one in near if len(one)]
            rows.append(["baseline", 5, 120, when, float(np.median(found)) if found else None])
        out.append({"fields": {"x": samples}, "field": "x", "asked": rows})
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--series", type=int, default=7)
    parser.add_argument("--times", type=int, default=4)
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path(__file__).with_name("vectors.json"))
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    cases = of_prometheus(rng, arguments.series, arguments.times)
    cases += of_scipy(rng, arguments.series, arguments.times)
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    arguments.output.write_text("[\n%s\n]\n" % lines)
    print("%d questions about %d series: %s" % (sum(len(c["asked"]) for c in cases), len(cases), arguments.output))


if __name__ == "__main__":
    main()
