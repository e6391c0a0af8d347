#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR BSD-3-Clause
# plot_test.sh: scripts/plot.sh draws qlog of every form, and says what is none.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
fail() { echo "plot_test: $*" >&2; failed=1; }

python3 - "$work" <<'PY'
import json, sys
folder = sys.argv[1]
metrics = {"congestion_window": 12000, "bytes_in_flight": 2400, "smoothed_rtt": 20.5, "latest_rtt": 21, "min_rtt": 20}
def events(prefix, recovery):
    yield 0, prefix + "packet_sent", {"header": {"packet_type": "1RTT", "packet_number": 0}, "raw": {"length": 1200},
        "frames": [{"frame_type": "stream", "stream_id": 0, "offset": 0, "length": 1000}]}
    yield 1, prefix + "packet_sent", {"header": {"packet_type": "1RTT", "packet_number": 1}, "raw": {"length": 1200},
        "frames": [{"frame_type": "stream", "stream_id": 0, "offset": 0, "raw": {"payload_length": 1000}}]}
    yield 20, prefix + "packet_received", {"header": {"packet_type": "1RTT", "packet_number": 0}, "raw": {"length": 50},
        "frames": [{"frame_type": "ack", "acked_ranges": [[1]]}]}
    yield 20, recovery + "metrics_updated", metrics
    yield 21, recovery + "packet_lost", {"header": {"packet_type": "1RTT", "packet_number": 0}}
    yield 900, recovery + "metrics_updated", {"congestion_window": "6000", "ssthresh": 6000}
now = [{"time": t, "name": n, "data": d} for t, n, d in events("quic:", "quic:recovery_")]
for each in now: each["name"] = each["name"].replace("recovery_packet", "packet")
old = [{"time": t, "name": n, "data": d} for t, n, d in events("transport:", "recovery:")]
head = {"file_schema": "urn:ietf:params:qlog:file:sequential", "trace": {"vantage_point": {"type": "client"}}}
with open(folder + "/sequence.sqlog", "w") as f:
    for each in [head] + now: f.write("\x1e" + json.dumps(each) + "\n")
    f.write('\x1e{"time": 901, "na')  # Cut off, as of a process that was killed.
with open(folder + "/lines.qlog", "w") as f:
    for each in [head] + old: f.write(json.dumps(each) + "\n")
delta, last = [], 0
for each in old:
    delta.append(dict(each, time=each["time"] - last)); last = each["time"]
trace = {"vantage_point": {"type": "<client>"}, "common_fields": {"time_format": "delta"}, "events": delta}
json.dump({"qlog_version": "0.3", "traces": [{"error_description": "none"}, trace]}, open(folder + "/contained.qlog", "w"))
lists = [[t * 1000, n.split(":")[0], n.split(":")[1], d] for t, n, d in events("transport:", "recovery:")]
trace = {"configuration": {"time_units": "us"}, "event_fields": ["relative_time", "CATEGORY", "EVENT", "DATA"],
         "events": lists}
json.dump({"traces": [trace]}, open(folder + "/lists.json", "w"), indent=1)
json.dump({"traces": [{"events": [{"time": 1, "name": "x"}, 7, None]}]}, open(folder + "/empty.qlog", "w"))
PY
echo 'no qlog' >"$work/text.qlog"

for form in sequence.sqlog lines.qlog contained.qlog lists.json; do
  picture=$work/${form%.*}.svg
  "$root/scripts/plot.sh" "$work/$form" || { fail "$form was not drawn"; continue; }
  python3 - "$picture" <<'PY' || fail "$form: the picture is not right"
import sys, xml.dom.minidom
document = xml.dom.minidom.parse(sys.argv[1])
texts = [node.firstChild.data for node in document.getElementsByTagName("text") if node.firstChild]
for expected in ("Bytes", "Window", "Round trip, ms", "Rate, Mbit/s", "sent", "acknowledged", "received", "sent again",
                 "lost", "congestion window", "bytes in flight", "ssthresh", "smoothed", "0.8 s"):
    if expected not in texts: sys.exit(f"there is no '{expected}' among {texts}")
PY
done
"$root/scripts/plot.sh" "$work/lines.qlog" "$work/other.svg"
cmp -s "$work/other.svg" "$work/lines.svg" || fail "the name of the picture changes it"
[ "$("$root/scripts/plot.sh" "$work/lines.qlog" - | head -c 4)" = '<svg' ] || fail "- is not the standard output"

expect() { # expect STATUS TEXT ARGUMENT...: what plot.sh must exit with and say
  local wanted=$1 text=$2 status=0 said
  shift 2
  said=$("$root/scripts/plot.sh" "$@" 2>&1) || status=$?
  [ $status = "$wanted" ] || fail "plot.sh $*: exit $status, not $wanted"
  [[ $said == *"$text"* ]] || fail "plot.sh $*: said '$said'"
  [[ $said != *Traceback* ]] || fail "plot.sh $*: $said"
}
expect 1 'no packets' "$work/text.qlog"
expect 1 'no packets' "$work/empty.qlog"
expect 1 'cannot read' "$work/missing.qlog"
expect 1 'cannot write' "$work/lines.qlog" "$work/none/a.svg"
expect 2 'usage' 
expect 2 'usage' --shape
expect 0 'usage' --help
exit $failed
