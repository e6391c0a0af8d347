# SPDX-License-Identifier: MIT OR BSD-3-Clause
"""Draws a qlog file as SVG: see plot.sh.

read_events() understands what the drafts of qlog had so far; Connection collects the series to draw;
Panel and draw() make the picture.
"""
import html
import json
import math
import sys
from bisect import bisect_right

COLUMNS = 900  # Pixels of a panel; a series has two points for each at most.
PANEL_HEIGHT = 200
LEFT, RIGHT, TOP, GAP = 90, 190, 50, 50


# --- reading -----------------------------------------------------------------------------------------

def records(text):
    """The JSON texts of a file: one, or a sequence with record separators or line ends."""
    if "\x1e" in text[:4096]:
        for part in text.split("\x1e"):
            if part.strip():
                try:
                    yield json.loads(part)
                except ValueError:
                    pass  # The last one may be cut off.
        return
    try:
        yield json.loads(text)
        return
    except ValueError:
        pass
    for line in text.splitlines():
        if line.strip():
            try:
                yield json.loads(line)
            except ValueError:
                pass


def number(value):
    """A number, also one that is written as a text; None when it is none."""
    try:
        out = float(value)
    except (TypeError, ValueError):
        return None
    return out if math.isfinite(out) else None


def event_parts(event, fields):
    """Time, name and data of an event, which draft 01 has as a list."""
    if isinstance(event, dict):
        return event.get("time"), str(event.get("name", "")), event.get("data")
    if isinstance(event, list):
        named = dict(zip(fields, event))
        time = named.get("relative_time", named.get("delta_time", named.get("time")))
        return time, str(named.get("event", named.get("event_type", ""))), named.get("data")
    return None, "", None


def trace_events(trace, events):
    """Yields (milliseconds, name, data)."""
    common = trace.get("common_fields") or {}
    configuration = trace.get("configuration") or {}
    unit = 0.001 if configuration.get("time_units") == "us" else 1.0
    fields = [str(field).lower() for field in trace.get("event_fields") or []]
    deltas = common.get("time_format") in ("delta", "relative_to_previous_event") or "delta_time" in fields
    now = 0.0
    for event in events:
        time, name, data = event_parts(event, fields)
        time = number(time)
        if time is None or not isinstance(data, dict):
            continue
        now = now + time * unit if deltas else time * unit
        name = name.rsplit(":", 1)[-1]
        yield now, name.removeprefix("recovery_"), data


def read_events(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        found = [each for each in records(file.read()) if isinstance(each, (dict, list))]
    title, events = "", []
    if len(found) == 1 and isinstance(found[0], dict) and isinstance(found[0].get("traces"), list):
        for trace in found[0]["traces"]:  # The first that has events.
            if isinstance(trace, dict) and isinstance(trace.get("events"), list) and not events:
                title = (trace.get("vantage_point") or {}).get("type", "")
                events = list(trace_events(trace, trace["events"]))
    elif found:
        head = found[0] if isinstance(found[0], dict) else {}
        trace = head.get("trace") if isinstance(head.get("trace"), dict) else {}
        title = (trace.get("vantage_point") or {}).get("type", "")
        events = list(trace_events(trace, found[1:] if "name" not in head else found))
    if events:
        start = min(time for time, _, _ in events)
        events = [(time - start, name, data) for time, name, data in events]
        events.sort(key=lambda each: each[0])
    return str(title), events


# --- what happened -----------------------------------------------------------------------------------

def space_of(header):
    kind = str(header.get("packet_type", ""))
    return kind if kind in ("initial", "handshake") else "application"


def length_of(data):
    header = data.get("header") or {}
    for place, name in ((data.get("raw"), "length"), (header, "packet_size"), (data, "packet_size")):
        if isinstance(place, dict):
            value = number(place.get(name))
            if value is not None:
                return value
    return 0.0


def frames_of(data):
    frames = data.get("frames")
    return [frame for frame in frames if isinstance(frame, dict)] if isinstance(frames, list) else []


class Connection:
    """The series of a connection; times in seconds."""

    def __init__(self, events):
        self.series = {}  # name: list of (time, value)
        self.sent = {}  # (space, packet number): bytes sent when it left, itself included
        self.open = {}  # The same of those without a fate.
        self.highest = {}  # stream: end of what was sent of it
        self.total = {"sent": 0.0, "received": 0.0}
        self.acknowledged = 0.0
        self.losses = []
        self.measured = True  # False while round trips are what a stack assumes before its first sample.
        for time, name, data in events:
            handler = getattr(self, "on_" + name, None)
            if handler is not None:
                handler(time / 1000, data)
        self.end = events[-1][0] / 1000 if events else 0.0

    def add(self, name, time, value):
        value = number(value)
        if value is not None:
            self.series.setdefault(name, []).append((time, value))

    def on_packet_sent(self, time, data):
        header = data.get("header") or {}
        self.total["sent"] += length_of(data)
        self.add("sent", time, self.total["sent"])
        key = space_of(header), number(header.get("packet_number"))
        self.sent[key] = self.open[key] = self.total["sent"]
        for frame in frames_of(data):
            if frame.get("frame_type") != "stream":
                continue
            raw = frame.get("raw") or {}
            length = number(frame.get("length", raw.get("payload_length", raw.get("length")))) or 0
            offset = number(frame.get("offset")) or 0
            stream = str(frame.get("stream_id"))
            if length and offset < self.highest.get(stream, 0):
                self.add("sent again", time, self.total["sent"])
            self.highest[stream] = max(self.highest.get(stream, 0), offset + length)

    def on_packet_received(self, time, data):
        self.total["received"] += length_of(data)
        self.add("received", time, self.total["received"])
        space = space_of(data.get("header") or {})
        for frame in frames_of(data):
            if frame.get("frame_type") == "ack":
                self.on_ack(time, space, frame.get("acked_ranges"))

    def on_ack(self, time, space, ranges):
        before = self.acknowledged
        for each in ranges if isinstance(ranges, list) else []:
            ends = [number(end) for end in (each if isinstance(each, list) else [each])]
            if not ends or None in ends:
                continue
            low, high = min(ends), max(ends)
            wide = high - low > len(self.open)
            numbers = ([n for s, n in self.open if s == space and n is not None and low <= n <= high] if wide
                       else range(int(low), int(high) + 1))
            for packet in numbers:
                self.acknowledged = max(self.acknowledged, self.open.pop((space, float(packet)), 0.0))
        if self.acknowledged > before:
            self.add("acknowledged", time, self.acknowledged)

    def on_packet_lost(self, time, data):
        header = data.get("header") or {}
        key = space_of(header), number(header.get("packet_number", data.get("packet_number")))
        self.losses.append(time)
        if key in self.sent:
            self.add("lost", time, self.sent[key])

    def on_metrics_updated(self, time, data):
        if "latest_rtt" in data:
            self.measured = number(data["latest_rtt"]) != 0
        for name, label in (("congestion_window", "congestion window"), ("cwnd", "congestion window"),
                            ("bytes_in_flight", "bytes in flight"), ("ssthresh", "ssthresh"),
                            ("latest_rtt", "latest"), ("smoothed_rtt", "smoothed"), ("min_rtt", "least")):
            if name in data:
                value = number(data[name])
                if name.endswith("_rtt") and not self.measured:
                    continue
                if value is not None and not (label == "ssthresh" and value > 2**40):
                    self.add(label, time, value)
        if "pacing_rate" in data:
            rate = number(data["pacing_rate"])
            self.add("pacing", time, rate / 1e6 if rate is not None else None)

    def rate(self, name, bins):
        """Mbit/s in each of so many equal times."""
        points = self.series.get(name)
        if not points or self.end <= 0:
            return []
        times = [time for time, _ in points]
        out, last = [], 0.0
        for i in range(bins):
            end = self.end * (i + 1) / bins
            at = bisect_right(times, end)
            value = points[at - 1][1] if at else 0.0
            out.append((end, (value - last) * 8 / 1e6 / (self.end / bins)))
            last = value
        return out

    def losses_in(self, bins):
        out = [0] * bins
        for time in self.losses:
            out[min(bins - 1, int(time / self.end * bins)) if self.end > 0 else 0] += 1
        return [(self.end * (i + 0.5) / bins, float(count)) for i, count in enumerate(out) if count]


# --- drawing -----------------------------------------------------------------------------------------

def thinned(points, end):
    """At most the least and the most of each column of pixels."""
    if len(points) <= 2 * COLUMNS:
        return points
    out, column, kept = [], None, []
    for point in points:
        at = int(point[0] / end * COLUMNS) if end > 0 else 0
        if at != column:
            out += sorted({min(kept, key=lambda p: p[1]), max(kept, key=lambda p: p[1])}) if kept else []
            column, kept = at, []
        kept.append(point)
    return out + kept[-1:]


def nice_step(span, parts):
    step = 10 ** math.floor(math.log10(span / parts)) if span > 0 else 1.0
    for factor in (1, 2, 5, 10):
        if span / (step * factor) <= parts:
            return step * factor
    return step * 10


def label_of(value, unit):
    if unit != "B":
        return f"{value:g}"
    for size, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if abs(value) >= size:
            return f"{value / size:g} {name}"
    return f"{value:g} B"


class Panel:
    """One diagram over time. A style is a colour and one of line, steps, dots, bars."""

    def __init__(self, title, unit, series):
        self.title, self.unit = title, unit
        self.series = [(name, points, style) for name, points, style in series if points]

    def draw(self, top, end, out):
        most = max((value for _, points, style in self.series if style[1] != "bars" for _, value in points),
                   default=0) * 1.05 or 1.0
        x = lambda time: LEFT + (time / end if end > 0 else 0) * COLUMNS
        y = lambda value: top + PANEL_HEIGHT - value / most * PANEL_HEIGHT
        out.append(f'<text x="{LEFT}" y="{top - 8}" class="title">{html.escape(self.title)}</text>')
        out.append(f'<rect x="{LEFT}" y="{top}" width="{COLUMNS}" height="{PANEL_HEIGHT}" class="frame"/>')
        step = nice_step(most, 5)
        for i in range(int(most / step) + 1):
            at = y(i * step)
            out.append(f'<path d="M{LEFT} {at:.1f}h{COLUMNS}" class="grid"/>'
                       f'<text x="{LEFT - 6}" y="{at + 4:.1f}" class="left">{label_of(i * step, self.unit)}</text>')
        step = nice_step(end, 10)
        for i in range(int(end / step) + 1 if end > 0 else 0):
            out.append(f'<path d="M{x(i * step):.1f} {top}v{PANEL_HEIGHT}" class="grid"/>'
                       f'<text x="{x(i * step):.1f}" y="{top + PANEL_HEIGHT + 15}" class="below">'
                       f'{i * step:g} s</text>')
        for row, (name, points, (colour, style)) in enumerate(self.series):
            at = top + 14 + 18 * row
            out.append(f'<path d="M{LEFT + COLUMNS + 12} {at - 4}h18" stroke="{colour}" stroke-width="4"/>'
                       f'<text x="{LEFT + COLUMNS + 36}" y="{at}">{html.escape(name)}</text>')
            self.draw_series(points, colour, style, x, y, top, end, out)

    @staticmethod
    def draw_series(points, colour, style, x, y, top, end, out):
        points = thinned(points, end)
        if style == "dots":
            marks = "".join(f"M{x(t):.1f} {y(v):.1f}h0" for t, v in points)
            out.append(f'<path d="{marks}" stroke="{colour}" stroke-width="5" stroke-linecap="round"/>')
        elif style == "bars":
            most = max(value for _, value in points)
            marks = "".join(f"M{x(t):.1f} {top + PANEL_HEIGHT}v{-value / most * PANEL_HEIGHT / 3:.1f}"
                            for t, value in points)
            out.append(f'<path d="{marks}" stroke="{colour}" stroke-width="3" opacity="0.6"/>')
        else:
            line, last = [], None
            for t, v in points:
                if style == "steps" and last is not None:
                    line.append(f"{x(t):.1f},{y(last):.1f}")
                line.append(f"{x(t):.1f},{y(v):.1f}")
                last = v
            if style == "steps" and last is not None:
                line.append(f"{x(end):.1f},{y(last):.1f}")
            out.append(f'<polyline points="{" ".join(line)}" fill="none" stroke="{colour}" stroke-width="1.5"/>')


def panels_of(connection):
    series = lambda name: connection.series.get(name, [])
    bins = 100
    most_lost = max((count for _, count in connection.losses_in(bins)), default=0)
    return [
        Panel("Bytes", "B", [("sent", series("sent"), ("#1f5fbf", "steps")),
                             ("acknowledged", series("acknowledged"), ("#2c9c4b", "steps")),
                             ("received", series("received"), ("#888888", "steps")),
                             ("sent again", series("sent again"), ("#e69500", "dots")),
                             ("lost", series("lost"), ("#cc2222", "dots"))]),
        Panel("Window", "B", [("congestion window", series("congestion window"), ("#1f5fbf", "steps")),
                              ("bytes in flight", series("bytes in flight"), ("#2c9c4b", "steps")),
                              ("ssthresh", series("ssthresh"), ("#aa44aa", "steps"))]),
        Panel("Round trip, ms", "ms", [("latest", series("latest"), ("#b0c8e8", "steps")),
                                       ("smoothed", series("smoothed"), ("#1f5fbf", "steps")),
                                       ("least", series("least"), ("#2c9c4b", "steps"))]),
        Panel("Rate, Mbit/s", "Mbit/s", [("sent", connection.rate("sent", bins), ("#1f5fbf", "steps")),
                                         ("received", connection.rate("received", bins), ("#888888", "steps")),
                                         ("pacing", series("pacing"), ("#aa44aa", "steps")),
                                         (f"losses, at most {most_lost:g}", connection.losses_in(bins),
                                          ("#cc2222", "bars"))]),
    ]


def draw(title, connection):
    panels = [panel for panel in panels_of(connection) if panel.series]
    width = LEFT + COLUMNS + RIGHT
    height = TOP + len(panels) * (PANEL_HEIGHT + GAP)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
           f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
           '<style>.frame{fill:none;stroke:#444}.grid{stroke:#ddd;stroke-width:0.7}.left{text-anchor:end}'
           '.below{text-anchor:middle}.title{font-weight:bold}</style>',
           f'<rect width="{width}" height="{height}" fill="white"/>',
           f'<text x="{LEFT}" y="18" font-size="14">{html.escape(title)}</text>']
    for i, panel in enumerate(panels):
        panel.draw(TOP + i * (PANEL_HEIGHT + GAP), connection.end, out)
    return "\n".join(out) + "\n</svg>\n"


def main(path, target):
    try:
        side, events = read_events(path)
    except OSError as error:
        sys.exit(f"plot.sh: cannot read {path}: {error.strerror}")
    connection = Connection(events)
    if "sent" not in connection.series and "received" not in connection.series:
        sys.exit(f"plot.sh: there are no packets in {path}: is it qlog?")
    name = path.rsplit("/", 1)[-1]
    picture = draw(f"{name} ({side})" if side else name, connection)
    try:
        if target == "-":
            sys.stdout.write(picture)
        else:
            with open(target, "w", encoding="utf-8") as file:
                file.write(picture)
    except OSError as error:
        sys.exit(f"plot.sh: cannot write {target}: {error.strerror}")


main(*sys.argv[1:])
