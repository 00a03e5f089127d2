#!/usr/bin/env bash
# Whether a running daemon answers as its /openapi.json says, whatever it is sent: schemathesis makes requests from the
# document, good ones and bad ones, and reads the answers. Takes two minutes; needs python3, and PyPI the first time.
# Usage: tests/api/schemathesis.sh LARUM. Ends with 0 where nothing was found, with 75 where schemathesis cannot be had.
set -euo pipefail
larum=$(realpath "$1")
cd "$(dirname "$0")/../.."

packages=$PWD/target/schemathesis
[ -x "$packages/bin/st" ] || python3 -m pip install --quiet --target "$packages" 'schemathesis>=4.32,<5' || exit 75

folder=$(mktemp -d)
daemon=
finish() {
  if [ -n "$daemon" ]; then kill "$daemon" 2>/dev/null && wait "$daemon" || true; fi
  rm -rf "$folder"
}
trap finish EXIT

# A rule that fires on what is pushed, a channel that is told, and one that never is.
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
mkdir -p "$folder/project/rules" "$folder/project/channels"
cat >"$folder/project/larum.yaml" <<END
listen: 127.0.0.1:$port
collectors:
  - { type: host, every: 1s }
  - { type: push }
routes:
  - to: [log, nobody]
END
echo 'type: console' >"$folder/project/channels/log.yaml"
printf 'type: webhook\nurl: http://127.0.0.1:1/\n' >"$folder/project/channels/nobody.yaml"
cat >"$folder/project/rules/service.rhai" <<'END'
rule("high_error_rate", #{
    on:      "service",
    when:    |s| s.error_rate > 0.1,
    level:   |s| if s.error_rate > 0.5 { "critical" } else { "warning" },
    message: |s| `${s.name}: ${percent(s.error_rate)} of calls fail`,
});
END
(cd "$folder/project" && exec "$larum" run) >"$folder/log" 2>&1 &
daemon=$!

# Makes what there is to be read, and says how it is called.
url=http://127.0.0.1:$port
prepare() {
  python3 - "$url" <<'END'
import json, sys, time, urllib.error, urllib.request


def ask(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(sys.argv[1] + path, data, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def wait(what, found):
    for _ in range(600):
        try:
            if answer := found():
                return answer
        except urllib.error.URLError:
            pass
        time.sleep(0.1)
    sys.exit(f"{what} did not come in time")


wait("larum", lambda: ask("/readyz"))
services = {"shop-api": 0.7, "shop-web": 0.2, "billing": 0.0}
snapshots = [
    {"kind": "service", "name": name, "labels": {"region": "eu"}, "fields": {"status": "running", "error_rate": rate}}
    for name, rate in services.items()
]
taken = ask("/api/v1/snapshots", snapshots)
assert taken["taken"] == len(services), taken
silence = ask("/api/v1/silences", {"match": {"name": "shop-web"}, "for": "2h", "author": "anna", "comment": "deploy"})
alert = wait("an alert", lambda: ask("/api/v1/alerts?state=firing&name=shop-api")["alerts"])[0]
notification = wait("a notification", lambda: ask("/api/v1/outbox?channel=nobody")["outbox"])[0]
ids = {"alerts": alert["id"], "silences": silence["silence"]["id"], "outbox": notification["id"]}
for name, id in ids.items():
    print(f'[[operations]]\ninclude-path-regex = "^/api/v1/{name}/.*"\nparameters = {{ "path.id" = "{id}" }}\n')
print('[[operations]]\ninclude-path = "/api/v1/why"\nparameters = { "query.rule" = "high_error_rate" }\n')
END
}
prepare >"$folder/known.toml" || { cat "$folder/log"; exit 1; }

# Streams do not end: they are not for a reader of whole answers.
export PYTHONPATH=$packages NO_COLOR=1
st() {
  (cd "$folder" && "$packages/bin/st" "$@" --exclude-tag streams --seed 20261121 --continue-on-failure \
    --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance \
    --suppress-health-check all --generation-database none --warnings off --request-timeout 20)
}
failed=0
# Of anything. While pushes are paused they are answered with 503, so that comes by itself.
st run "$url/openapi.json" --exclude-path-regex '/(pause|resume)$' --max-time 70 || failed=1
# Of what is there.
st --config-file known.toml run "$url/openapi.json" --include-path-regex '\{id\}|/why$' --phases coverage,fuzzing \
  --max-time 30 || failed=1
st run "$url/openapi.json" --include-path-regex '/(pause|resume)$' --phases coverage,fuzzing \
  --max-examples 50 --max-time 10 || failed=1

if grep -E 'panicked|ERROR' "$folder/log" || ! kill -0 "$daemon"; then
  echo "the daemon did not take it well"
  failed=1
fi
exit "$failed"
