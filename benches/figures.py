#!/usr/bin/env python3
"""Measures the running daemon from outside: python3 (standard library), loopback only.

Usage: figures.py [--larum target/release/larum] latency|start|idle|reload|all

latency  push to webhook: 100 pushes a second for 30 s, each raises an alert of a new subject; median and p99
start    exec of `larum run` to the webhook's POST about an always-true rule of this host; 5 starts
idle     60 s with the shipped rules and the host every 10 s: RSS and CPU seconds
reload   1,000 rules in 100 files, one edited: from the rename to the POST of the new rule's alert; 10 edits
"""

import argparse
import http.client
import http.server
import json
import multiprocessing
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def receive(port, queue):
    """A webhook receiver in a process of its own: puts (monotonic seconds, subject names) for each POST."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            now = time.monotonic()
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.send_header("Content-Length", "0")
            self.end_headers()
            queue.put((now, [(alert["rule"], alert["name"]) for alert in body["alerts"]]))

        def log_message(self, *_):
            pass

    class Server(http.server.ThreadingHTTPServer):
        request_queue_size = 128

    Server(("127.0.0.1", port), Handler).serve_forever()


class Daemon:
    """`larum run` in a project folder of its own, with a webhook receiver beside it."""

    def __init__(self, larum, rules, config=""):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="larum-figures-"))
        self.port, hook = free_port(), free_port()
        (self.folder / "rules").mkdir()
        (self.folder / "channels").mkdir()
        for name, text in rules.items():
            (self.folder / "rules" / name).write_text(text)
        (self.folder / "channels/hook.yaml").write_text(f"type: webhook\nurl: http://127.0.0.1:{hook}/\n")
        (self.folder / "larum.yaml").write_text(
            f"listen: 127.0.0.1:{self.port}\nroutes: [{{ to: [hook] }}]\n{config}")
        self.queue = multiprocessing.Queue()
        self.receiver = multiprocessing.Process(target=receive, args=(hook, self.queue), daemon=True)
        self.receiver.start()
        while socket.socket().connect_ex(("127.0.0.1", hook)) != 0:
            time.sleep(0.01)
        self.larum = larum
        self.start()

    def start(self):
        self.started = time.monotonic()
        self.log = open(self.folder / "log", "ab")
        self.process = subprocess.Popen(
            [self.larum, "--dir", str(self.folder), "run"], stdout=self.log, stderr=self.log)

    def ready(self):
        while True:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
                connection.request("GET", "/readyz")
                if connection.getresponse().status == 200:
                    return
            except OSError:
                pass
            if self.process.poll() is not None:
                raise SystemExit("larum ended:\n" + (self.folder / "log").read_text())
            time.sleep(0.01)

    def push(self, connection, name, value):
        body = json.dumps({"kind": "probe", "name": name, "fields": {"value": value}})
        connection.request("POST", "/api/v1/snapshots", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise SystemExit(f"push answered {answer.status}: {text}")

    def stop(self):
        begin = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)
        self.receiver.terminate()
        shutil.rmtree(self.folder)
        return time.monotonic() - begin


PROBE = 'rule("probe", #{ on: "probe", when: |p| p.value > 0.5, cooldown: "0s", repeat: "never" });\n'


def quantile(values, q):
    return sorted(values)[min(len(values) - 1, int(q * len(values)))]


def latency(larum, rate=100, seconds=30):
    daemon = Daemon(larum, {"probe.rhai": PROBE}, "collectors: [{ type: push }]\n")
    daemon.ready()
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=10)
    sent, begin = {}, time.monotonic()
    answers = []
    for i in range(rate * seconds):
        time.sleep(max(0, begin + i / rate - time.monotonic()))
        sent[f"p{i}"] = time.monotonic()
        daemon.push(connection, f"p{i}", 1)
        answers.append(time.monotonic() - sent[f"p{i}"])
    took = []
    while len(took) < len(sent):
        at, alerts = daemon.queue.get(timeout=10)
        took += [at - sent[name] for _, name in alerts]
    daemon.stop()
    print(f"latency: {len(took)} pushes at {rate}/s, push to webhook: median {statistics.median(took)*1e3:.2f} ms, "
          f"p99 {quantile(took, 0.99)*1e3:.2f} ms, max {max(took)*1e3:.2f} ms; "
          f"push to answer: median {statistics.median(answers)*1e3:.2f} ms")


def start(larum, runs=5):
    rule = 'rule("always", #{ on: "host", when: |h| h.memory_used_percent > 0, repeat: "never" });\n'
    took = []
    for _ in range(runs):
        daemon = Daemon(larum, {"always.rhai": rule})
        at, _ = daemon.queue.get(timeout=30)
        took.append(at - daemon.started)
        daemon.stop()
    print(f"start: exec to the first alert delivered: median {statistics.median(took)*1e3:.0f} ms "
          f"({min(took)*1e3:.0f}-{max(took)*1e3:.0f}), {runs} starts")


def idle(larum, seconds=60):
    rules = {path.name: path.read_text() for path in (ROOT / "rules").glob("*.rhai")}
    daemon = Daemon(larum, rules)
    daemon.ready()
    time.sleep(15)
    ticks = os.sysconf("SC_CLK_TCK")

    def cpu():
        fields = pathlib.Path(f"/proc/{daemon.process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / ticks

    def memory(name):
        for line in pathlib.Path(f"/proc/{daemon.process.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1]) / 1024

    begin = cpu()
    time.sleep(seconds)
    print(f"idle: RSS {memory('Rss'):.1f} MiB, PSS {memory('Pss'):.1f} MiB, CPU {cpu() - begin:.2f} s in {seconds} s")
    print(f"stop: SIGTERM to exit {daemon.stop()*1e3:.0f} ms")


def reload(larum, edits=10):
    def text(file, limit):
        return "".join(
            f'rule("r{file}_{i}", #{{ on: "probe", when: |p| p.value > {limit + i}, cooldown: "0s", repeat: "never" }});\n'
            for i in range(10))

    daemon = Daemon(larum, {f"f{n:03}.rhai": text(n, 1000) for n in range(100)}, "collectors: [{ type: push }]\n")
    daemon.ready()
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=10)
    daemon.push(connection, "p", 1)
    took = []
    for edit in range(edits):
        path = daemon.folder / "rules" / f"f{edit:03}.rhai"
        new = path.with_suffix(".new")
        # The first rule of the file fires for the subject that is known.
        new.write_text(text(edit, 1000).replace("p.value > 1000,", "p.value > 0,"))
        begin = time.monotonic()
        new.rename(path)
        at, _ = daemon.queue.get(timeout=30)
        took.append(at - begin)
        time.sleep(0.5)
        daemon.push(connection, "p", 1)
    print(f"reload: 1,000 rules in 100 files, one edited, to its alert delivered: median "
          f"{statistics.median(took)*1e3:.0f} ms ({min(took)*1e3:.0f}-{max(took)*1e3:.0f}), {edits} edits")
    for line in (daemon.folder / "log").read_text().splitlines():
        if "rules" in line and "reload" in line.lower():
            print("   ", line[:200])
    daemon.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--larum", default=str(ROOT / "target/release/larum"))
    parser.add_argument("what", choices=["latency", "start", "idle", "reload", "all"])
    options = parser.parse_args()
    measures = {"latency": latency, "start": start, "idle": idle, "reload": reload}
    for name in measures if options.what == "all" else [options.what]:
        measures[name](options.larum)


if __name__ == "__main__":
    main()
