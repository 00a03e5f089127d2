#!/usr/bin/env python3
"""An alert storm, from outside: N distinct alerts at once, until a local webhook was told of each. Loopback only.

Usage: storm.py [--larum target/release/larum] [--without-alertmanager] N

Larum, durable: N snapshots that each raise an alert, 64 in a push over 4 connections; one webhook channel without a limit.
Alertmanager (Debian's prometheus-alertmanager, where it is installed), in the same run: the same number of alerts, 64 in a
request over 4 connections, ungrouped, group_wait 0s. Both: accepted per second, seconds until all were told, peak RSS.
"""

import argparse
import asyncio
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BATCH = 64
CONNECTIONS = 4
# One alert of Larum's body, and one of Alertmanager's, is known by this.
TOLD = re.compile(rb'"alertid":"(\d+)"|"name":"storm-(\d+)"')
LENGTH = re.compile(rb"content-length: *(\d+)", re.I)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def receive(port, out):
    """Counts the distinct alerts that it was told of, and writes {told, posts, last} to a file five times a second."""
    told, state = set(), {"posts": 0, "last": 0.0}

    class Receiver(asyncio.Protocol):
        def connection_made(self, transport):
            self.transport, self.buffer = transport, bytearray()

        def data_received(self, data):
            self.buffer += data
            while (head := self.buffer.find(b"\r\n\r\n")) >= 0:
                length = LENGTH.search(self.buffer[:head])
                end = head + 4 + (int(length.group(1)) if length else 0)
                chunked = length is None
                if chunked:
                    last = self.buffer.find(b"0\r\n\r\n", head + 4)
                    if last < 0:
                        return
                    end = last + 5
                if len(self.buffer) < end:
                    return
                body = bytes(self.buffer[head + 4 : end])
                del self.buffer[:end]
                self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                before = len(told)
                told.update(a or b for a, b in TOLD.findall(body))
                state["posts"] += 1
                if len(told) > before:
                    state["last"] = time.monotonic()

    async def serve():
        await asyncio.get_running_loop().create_server(Receiver, "127.0.0.1", port, backlog=4096)
        while True:
            with open(out + ".new", "w") as f:
                json.dump({**state, "told": len(told)}, f)
            os.replace(out + ".new", out)
            await asyncio.sleep(0.2)

    asyncio.run(serve())


def peak_rss(pid):
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0


def push(port, path, bodies):
    """Sends all bodies over some connections. Gives the seconds until the last was answered."""
    lock, rest = threading.Lock(), iter(bodies)

    def sender():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        while True:
            with lock:
                body = next(rest, None)
            if body is None:
                return
            while True:
                connection.request("POST", path, body, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                text = answer.read()
                if answer.status != 503:
                    break
                time.sleep(0.02)
            if answer.status != 200:
                raise SystemExit(f"{path} answered {answer.status}: {text[:300]}")

    began = time.monotonic()
    threads = [threading.Thread(target=sender) for _ in range(CONNECTIONS)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    return began, time.monotonic() - began


def measure(name, n, folder, start, path, bodies):
    receiver_port = free_port()
    out = str(folder / "told.json")
    receiver = subprocess.Popen(["python3", __file__, "--receive", str(receiver_port), out])
    daemon, port = start(folder, receiver_port)
    try:
        until(lambda: os.path.exists(out) and answers(port))
        began, accepted = push(port, path, bodies)
        deadline = time.monotonic() + 300
        while (state := json.load(open(out)))["told"] < n and time.monotonic() < deadline:
            time.sleep(0.1)
        rss = peak_rss(daemon.pid)
        told = state["last"] - began
        print(
            f"{name}: {n} alerts, accepted {n / accepted:,.0f}/s in {accepted:.2f} s, told {state['told']} in {told:.2f} s"
            f" ({state['told'] / told:,.0f}/s) by {state['posts']} posts, peak RSS {rss:.0f} MiB",
            flush=True,
        )
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(60)
        receiver.kill()


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("it did not start")
        time.sleep(0.02)


def larum(binary):
    def start(folder, receiver_port):
        port = free_port()
        (folder / "rules").mkdir()
        (folder / "channels").mkdir()
        (folder / "larum.yaml").write_text(
            f"listen: 127.0.0.1:{port}\ncollectors: [{{ type: push }}]\nlimits: {{ max_subjects: 1000000 }}\n"
            "log: { level: warn }\n"
        )
        (folder / "channels/storm.yaml").write_text(f"type: webhook\nurl: http://127.0.0.1:{receiver_port}/\n")
        (folder / "rules/storm.rhai").write_text(
            'rule("high_error_rate", #{ on: "service", when: |s| s.error_rate > 0.1, level: "critical",\n'
            '    message: |s| `error rate of ${s.name} is ${percent(s.error_rate)}`, runbook: "https://example.org/r/1" });\n'
        )
        log = open(folder / "log", "w")
        return subprocess.Popen([binary, "--dir", str(folder), "run"], stdout=log, stderr=log), port

    return start


def alertmanager(folder, receiver_port):
    port = free_port()
    (folder / "am.yml").write_text(
        "route: {receiver: w, group_by: ['...'], group_wait: 0s, group_interval: 10s, repeat_interval: 4h}\n"
        f"receivers: [{{name: w, webhook_configs: [{{url: 'http://127.0.0.1:{receiver_port}/'}}]}}]\n"
    )
    log = open(folder / "log", "w")
    arguments = [
        "prometheus-alertmanager",
        f"--config.file={folder}/am.yml",
        f"--storage.path={folder}/am",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    return subprocess.Popen(arguments, stdout=log, stderr=log), port


def snapshots(n):
    def one(i):
        labels = {"region": f"r{i % 10}", "instance": f"10.0.{i // 250 % 250}.{i % 250}:8080"}
        return {"kind": "service", "name": f"storm-{i}", "labels": labels, "fields": {"error_rate": 0.125}}

    return [json.dumps([one(i) for i in range(j, min(n, j + BATCH))]).encode() for j in range(0, n, BATCH)]


def alerts(n):
    end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))

    def one(i):
        instance = f"10.0.{i // 250 % 250}.{i % 250}:8080"
        labels = {"alertname": "HighErrorRate", "alertid": str(i), "instance": instance, "severity": "critical"}
        annotations = {"summary": f"error rate of service {i} is 12.5 %", "runbook": "https://example.org/r/1"}
        return {"labels": labels, "annotations": annotations, "endsAt": end}

    return [json.dumps([one(i) for i in range(j, min(n, j + BATCH))]).encode() for j in range(0, n, BATCH)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--larum", default=str(ROOT / "target/release/larum"))
    parser.add_argument("--without-alertmanager", action="store_true")
    parser.add_argument("--receive", nargs=2, metavar=("PORT", "FILE"), help=argparse.SUPPRESS)
    parser.add_argument("n", type=int, nargs="?", default=10_000)
    options = parser.parse_args()
    if options.receive:
        return receive(int(options.receive[0]), options.receive[1])
    with tempfile.TemporaryDirectory() as temp:
        folder = pathlib.Path(temp)
        (folder / "larum").mkdir()
        n = options.n
        measure("larum", n, folder / "larum", larum(options.larum), "/api/v1/snapshots", snapshots(n))
        if not options.without_alertmanager:
            if shutil.which("prometheus-alertmanager") is None:
                print("alertmanager: not installed (apt-get install prometheus-alertmanager)")
                return
            (folder / "alertmanager").mkdir()
            measure("alertmanager", n, folder / "alertmanager", alertmanager, "/api/v2/alerts", alerts(n))


main()
