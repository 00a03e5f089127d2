#!/usr/bin/env python3
"""Stands for the observed system: pushes snapshots of two services and their tools to Larum.

Usage: push.py [--url http://127.0.0.1:8001] [--every SECONDS] [--count N] [--broken]
Runs until it is stopped, or for N pushes. `--broken`: the service `files` is stopped and `search` fails half its calls.
"""

import argparse
import datetime
import json
import time
import urllib.request


def snapshots(tick, broken):
    """What the system would say of itself at its `tick`-th push."""
    calls = 1000 + 50 * tick
    last_activity = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    yield {"kind": "service", "name": "files", "labels": {"transport": "stdio"}, "fields": {
        "status": "stopped" if broken else "running", "tools_count": 12, "total_calls": calls,
        "failed_calls": calls // 100, "error_rate": 0.01, "avg_response_time": 0.12,
        "active_connections": 0 if broken else 3, "last_activity": last_activity}}
    yield {"kind": "service", "name": "search", "labels": {"transport": "http"}, "fields": {
        "status": "running", "tools_count": 3, "total_calls": 2 * calls,
        "failed_calls": calls if broken else 4, "error_rate": 0.5 if broken else 0.002, "avg_response_time": 0.8,
        "active_connections": 9, "last_activity": last_activity}}
    for tool, seconds in (("files/read_file", 0.05), ("files/write_file", 0.2), ("search/query", 15.0 if broken else 0.8)):
        yield {"kind": "tool", "name": tool, "fields": {"avg_response_time": seconds, "total_calls": calls}}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8001")
    parser.add_argument("--every", type=float, default=10.0, help="seconds between two pushes")
    parser.add_argument("--count", type=int, default=0, help="how many pushes; 0 for no end")
    parser.add_argument("--broken", action="store_true")
    options = parser.parse_args()
    tick = 0
    while True:
        body = json.dumps(list(snapshots(tick, options.broken))).encode()
        request = urllib.request.Request(options.url + "/api/v1/snapshots", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            print(answer.read().decode(), flush=True)
        tick += 1
        if options.count and tick >= options.count:
            return
        time.sleep(options.every)


if __name__ == "__main__":
    main()
