#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR BSD-3-Clause
# record_test.sh BIN_DIR: what a node and its peers write down: log, figures, qlog, TLS secrets.
set -euo pipefail
qpeer=$(realpath -- "$1")/qpeer
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/cli/lib.sh
. "$root/tests/cli/lib.sh"
begin_test record
await_file() { # await_file FILE TEXT
  for _ in {1..400}; do
    if grep -q -F -- "$2" "$1" 2>/dev/null; then return 0; fi
    sleep 0.05
  done
  fail "never in $1: $2"
  cat "$1" || true
}

# --- a node with all of it ----------------------------------------------------------------------
mkdir qlog
export QLOGDIR=$PWD/qlog/ SSLKEYLOGFILE=$PWD/keys
head -c 300000 /dev/urandom >data
start_node node --store store --allow-anyone --key node.key --log log --log-format json -v --metrics figures
expect 0 "$qpeer" send data --to "$peer" --quiet
await_file log '"event":"stored"'
await_file log '"event":"connection_closed"'
sleep 5.5 # The figures are replaced every five seconds.
await_file figures '# EOF'
python3 - <<'PY' || fail "the log or the figures are not right"
import datetime, json, re
levels, events = set(), set()
for line in open("log"):
    entry = json.loads(line)
    datetime.datetime.strptime(entry["time"], "%Y-%m-%dT%H:%M:%S.%fZ")
    levels.add(entry["level"])
    events.add(entry["event"])
for event in ("stored", "connection_started", "connection_complete", "connection_closed"):
    assert event in events, (event, events)
assert levels <= {"error", "warning", "info", "debug"} and "debug" in levels and "info" in levels, levels
text = open("figures").read()
assert text.endswith("# EOF\n")
values, types = {}, {}
for line in text.splitlines()[:-1]:
    if line.startswith("# TYPE "):
        _, _, name, kind = line.split(" ")
        assert name not in types, name
        types[name] = kind
    elif not line.startswith("# HELP "):
        match = re.fullmatch(r'([a-z_]+)(\{reason="[^"]*"\})? (\d+)', line)
        assert match, line
        family = match[1].removesuffix("_total")
        assert types.get(family) == ("counter" if match[1].endswith("_total") else "gauge"), line
        values[match[1] + (match[2] or "")] = int(match[3])
assert values["qpeer_connected_total"] >= 1, values
assert values["qpeer_udp_received_bytes_total"] > 300000, values
assert 'qpeer_dropped_total{reason="duplicate"}' in values, values
PY
stop_child "$node"

[ "$(stat -c %a log keys qlog/*_server.sqlog | sort -u)" = 600 ] || fail "others can read what is written down"
compgen -G "qlog/*_client.sqlog" >/dev/null || fail "there is no qlog of a client"
for file in qlog/*.sqlog; do
  "$root/scripts/plot.sh" "$file" picture.svg || fail "$file cannot be drawn"
done
grep -q '^CLIENT_HANDSHAKE_TRAFFIC_SECRET ' keys || fail "there are no TLS secrets"
grep -q '^SERVER_TRAFFIC_SECRET_0 ' keys || fail "there are no TLS secrets of 1-RTT"
unset SSLKEYLOGFILE

# --- as text, on the standard error ---------------------------------------------------------------
unset QLOGDIR
start_node text --store store --allow-anyone --log -
expect 0 "$qpeer" send data --to "$peer" --quiet
await_file text.log ' info stored data'
! grep -q ' debug ' text.log || fail "debug lines without -v"
grep -q -E '^20[0-9-]{8}T[0-9:]{8}[.][0-9]{3}Z info ' text.log || fail "lines have no time"

# --- what cannot be written is told, and stops nothing ---------------------------------------------
QLOGDIR=$PWD/none/ SSLKEYLOGFILE=$PWD/none/keys expect 0 "$qpeer" send data --to "$peer" --quiet
says "cannot make $PWD/none/"
says "cannot write keys to SSLKEYLOGFILE $PWD/none/keys: No such file"
[ "$(grep -c 'cannot make' out)" = 1 ] || fail "a missing directory is told more than once"
start_node full --metrics none/figures
await full.log '--metrics: none/figures: '
expect 1 "$qpeer" node --listen 127.0.0.1:0 --log none/log
says "--log: cannot write none/log: No such file"
expect 2 "$qpeer" node -v
says "--verbose and --log-format are for --log FILE"
expect 2 "$qpeer" client --contact "$peer" --log-format json
says "--verbose and --log-format are for --log FILE"
expect 2 "$qpeer" node --log - --log-format xml
says "is not one of text|json"
end_test
