#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR BSD-3-Clause
"""report.py TABLE OUTCOMES RUNS PAGE [HEADER...]: what the runs of the laboratory's cells say.

TABLE has a cell a line, as tests/natlab/cells.sh has it. OUTCOMES/NAME.N is what the run N of a cell saw. One line for each
cell goes to the standard output, and the last one is "natlab: H hold, F fall short of N". PAGE is written, but for
what is not between the laboratory's two marks there, which belongs to others. Exit status 1 when a cell falls short.
"""
import os
import re
import sys

BEGIN = "<!-- natlab begins -->"
END = "<!-- natlab ends -->"

NEW_PAGE = f"""<!-- SPDX-License-Identifier: MIT OR BSD-3-Clause -->
# Connectivity

What peers behind routers can do, measured. What each kind of router does, and what the words mean:
`tests/natlab/router.sh`. What falls short is to be built; the needed figures stay.

{BEGIN}
{END}
"""


def read_table(path):
    """(name, what, needed, reason) of each cell."""
    for line in open(path):
        if line.strip():
            name, _, what, needed, reason = (word.strip() for word in line.split(" | "))
            yield name, what, needed, reason


def read_runs(folder, name, runs):
    """For each run the list of its lines, or None where it did not end."""
    for number in range(1, runs + 1):
        try:
            lines = [line.rstrip("\n").split("\t") for line in open(os.path.join(folder, f"{name}.{number}"))]
        except FileNotFoundError:
            yield None
            continue
        yield lines[:-1] if lines and lines[-1] == ["end"] else None


def of_all(count, runs):
    return "" if count == runs else f" ({count} of {runs})"


def see_measure(what, bound, values, runs):
    """The sentence, and whether the bound is kept in every run."""
    known = [float(value) for value in values if value]
    parts = []
    if known:
        late = sum(bool(bound) and value > float(bound) for value in known)
        parts.append(f"{what}: {max(known):.2f} s" + (" at worst" if len(known) > 1 else "") + of_all(len(known), runs))
        if late:
            parts[-1] += f", too late in {late} of {runs}"
    if len(known) < runs:
        parts.append(f"{what}: never{of_all(runs - len(known), runs)}")
    kept = len(known) == runs and (not bound or max(known) <= float(bound))
    return "; ".join(parts), kept


def judge(runs):
    """What all runs saw together, in one line, and whether all is as it must be."""
    ended = [run for run in runs if run is not None]
    if not ended:
        return "no run came to its end", False
    seen, holds = [], len(ended) == len(runs)
    if not holds:
        seen.append(f"{len(runs) - len(ended)} of {len(runs)} runs did not come to their end")
    for number, (kind, what, *rest) in enumerate(ended[0]):
        values = [run[number][2] if number < len(run) and len(run[number]) > 2 else "" for run in ended]
        if kind == "measure":
            sentence, kept = see_measure(what, rest[1], values, len(ended))
        elif kind == "claim":
            good = values.count("yes")
            kept = good == len(ended)
            sentence = what if kept else f"not so{of_all(len(ended) - good, len(ended))}: {what}"
        else:
            sentence, kept = f"{what}: {values[0]}", True
        seen.append(sentence)
        holds = holds and kept
    return "; ".join(seen), holds


def table_rows(results):
    yield "| cell | what | needed | seen | |"
    yield "|---|---|---|---|---|"
    for name, what, needed, reason, seen, holds in results:
        verdict = "holds" if holds else "**falls short**" + ("" if reason == "claims" else f": {reason}")
        yield f"| {name} | {what} | {needed} | {seen.replace('|', '/')} | {verdict} |"


def write_page(path, header, rows):
    page = open(path).read() if os.path.exists(path) else NEW_PAGE
    if BEGIN not in page or END not in page:
        sys.exit(f"report.py: {path} has no lines '{BEGIN}' and '{END}'")
    body = "\n".join([BEGIN, *header, "", *rows, END])
    page = re.sub(f"{re.escape(BEGIN)}.*{re.escape(END)}", lambda _: body, page, flags=re.S)
    with open(path + ".new", "w") as out:
        out.write(page)
    os.replace(path + ".new", path)


def main():
    table, folder, runs, page, *header = sys.argv[1:]
    results = []
    for name, what, needed, reason in read_table(table):
        seen, holds = judge(list(read_runs(folder, name, int(runs))))
        results.append((name, what, needed, reason, seen, holds))
        print(f"{name}: {'holds' if holds else 'FALLS SHORT'}: {seen}")
    good = sum(holds for *_, holds in results)
    last = f"natlab: {good} hold, {len(results) - good} fall short of {len(results)}"
    write_page(page, [*header, "", f"{last[8:]} cells."], table_rows(results))
    print(last)
    return int(good < len(results))


sys.exit(main())
