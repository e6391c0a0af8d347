#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR BSD-3-Clause
"""Chooses mutants of enforcing lines, for scripts/mutate.sh.

usage: mutants.py COUNT SEED REGEX

Prints one mutant a line: file, line, ids, test executables, filter of their tests, the new line. An
enforcing line has a requirement id, or is one of the two lines of code right below a comment with one.
Files match REGEX. Equal seeds give equal mutants.
"""
import pathlib
import random
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "scripts"))
import requirements  # noqa: E402

LINES_BELOW = 2
EXECUTABLE = re.compile(r"tests/(unit/(?P<layer>\w+)|scenario/(?P<p2p>p2p)|(?P<name>scenario|conformance|hostile))/")
SWAPS = ((" == ", " != "), (" != ", " == "), (" < ", " >= "), (" >= ", " < "), (" > ", " <= "), (" <= ", " > "),
         (" < ", " <= "), (" > ", " >= "), (" && ", " || "), (" || ", " && "), (" + ", " - "), (" - ", " + "),
         ("(!", "("), ("return !", "return "), ("true", "false"), ("false", "true"), ("std::min", "std::max"),
         ("std::max", "std::min"))
CALL = re.compile(r"^(\s*)((?!return|throw|delete|using|auto|const|static|case|else|if|for|while)[\w.>\[\]*-]+(?:\(.*\)|\s[-+|&]?=\s.*));$")
CONDITION = re.compile(r"^(\s*(?:\} else )?if )\((?!const |auto )(.*)\)( \{| return.*;| continue;)$")
NUMBER = re.compile(r"(?<=[ (])(\d+)(?=[;,) ])")


def mutations(line):
    """The line, broken in each way that we know; its comment stays."""
    code, slashes, comment = line.partition("//")
    for old, new in SWAPS:
        at = code.find(old)
        while at >= 0:
            yield code[:at] + new + code[at + len(old):] + slashes + comment
            at = code.find(old, at + 1)
    if found := CALL.match(code.rstrip()):
        yield found[1] + ";" + (" " + slashes + comment if slashes else "")
    if found := CONDITION.match(code.rstrip()):
        yield f"{found[1]}(false){found[3]}" + (" " + slashes + comment if slashes else "")
    for found in NUMBER.finditer(code):
        yield code[:found.start()] + str(int(found[1]) + 1) + code[found.end():] + slashes + comment


def enforcing_lines(lines):
    """Number, from 0 on, and ids of each line of code that enforces something."""
    ids, below = [], 0
    for number, line in enumerate(lines):
        is_comment = line.lstrip().startswith("//")
        if found := requirements.ID.findall(line):
            ids = ids + found if is_comment and below == LINES_BELOW else found
            below = LINES_BELOW
        if is_comment or not line.strip():
            continue
        if below:
            below -= 1
            yield number, ids


def tests_of_ids():
    """Id to {(executable, test)}."""
    tests = {}
    for name, lines in requirements.sources(ROOT, ("tests",)):
        if not (found := EXECUTABLE.match(name)) or not name.endswith(".cpp"):
            continue
        executable = f"unit_{found['layer']}" if found["layer"] else "scenario_p2p" if found["p2p"] else found["name"]
        for line, test in zip(lines, requirements.tests_by_line(lines, "*")):
            for id_ in requirements.ID.findall(line):
                tests.setdefault(id_, set()).add((executable, test))
    return tests


def all_mutants(pattern):
    tests = tests_of_ids()
    for name, lines in requirements.sources(ROOT, requirements.CODE):
        if not name.endswith((".cpp", ".hpp")) or not re.search(pattern, name):
            continue
        for number, ids in enforcing_lines(lines):
            citing = sorted(set().union(*(tests.get(id_, set()) for id_ in ids)))
            if not citing:
                continue
            executables = " ".join(sorted({executable for executable, _ in citing}))
            chosen = ":".join(f"{test}:*/{test}/*" if test != "*" else test for _, test in citing)
            for new in dict.fromkeys(mutations(lines[number])):
                yield name, str(number + 1), " ".join(dict.fromkeys(ids)), executables, chosen, new


def main(count, seed, pattern):
    mutants = list(all_mutants(pattern))
    chosen = random.Random(seed).sample(mutants, min(int(count), len(mutants)))
    chosen.sort(key=lambda mutant: (mutant[0], int(mutant[1])))  # What lies together is built together.
    for mutant in chosen:
        print("\t".join(mutant))


if __name__ == "__main__":
    main(*sys.argv[1:])
