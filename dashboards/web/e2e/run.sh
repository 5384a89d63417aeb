#!/usr/bin/env bash
# Starts the built platform with its demo network on a directory of its own and runs an npm script against it: the
# browser tests (e2e), or another one that is named.
set -euo pipefail
root=$(cd "$(dirname "$0")/../../.." && pwd)
data=$(mktemp -d)
"$root/bin/corrosion" serve --demo --data "$data" --listen "127.0.0.1:0" >"$data/serve.log" 2>&1 &
platform=$!
stop() {
  kill "$platform" 2>/dev/null || true
  wait "$platform" || { echo "the platform did not stop cleanly:"; cat "$data/serve.log"; exit 1; }
  rm -rf "$data"
}
trap stop EXIT
for _ in $(seq 300); do
  [ -s "$data/endpoints.json" ] && break
  kill -0 "$platform" 2>/dev/null || { cat "$data/serve.log"; exit 1; }
  sleep 0.2
done
url=$(node -p 'JSON.parse(require("fs").readFileSync(process.argv[1])).http' "$data/endpoints.json")
# The browser should meet a platform at work, not one that still stores thirty days of history.
calm() {
  grep -q "history: done" "$data/serve.log" && node -e '
    fetch(process.argv[1] + "/metrics").then((r) => r.text()).then((text) => {
      const waiting = /^corrosion_ingest_lag_messages (\S+)$/m.exec(text)
      process.exit(waiting && Number(waiting[1]) < 1000 ? 0 : 1)
    }, () => process.exit(1))' "$url"
}
for _ in $(seq 180); do
  calm && break
  kill -0 "$platform" 2>/dev/null || { cat "$data/serve.log"; exit 1; }
  sleep 1
done
# Tests of the administration sign in as this administrator; a run that has none of them leaves it unused.
admin=$("$root/bin/corrosion" admin create --data "$data" --email admin@example.org)
cd "$root/dashboards/web"
CORROSION_E2E_ADMIN=$admin CORROSION_E2E_URL=$url npm run --silent "${1:-e2e}"
