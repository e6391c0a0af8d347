#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR BSD-3-Clause
"""Traces the requirements of the RFCs through code and tests; writes docs/requirements.md, and the tables
"Where the sections are" of docs/architecture.md.

usage: scripts/requirements.py [--check] [--open] [--root FOLDER]

  (nothing)   writes both pages and prints the sums
  --check     writes nothing; fails when a MUST row is open, too many SHOULD rows are, an id is
              unknown, an exception or a row of sections is malformed or not needed, or a page is stale
  --open      writes nothing; lists the MUST and SHOULD rows that are open
  --root      looks at another working copy than the one this script lies in

docs/requirements/NAME.tsv lists the sentences of a document: id and level. An id, such as
rfc9000-13.2.1-4, counts the sentences of a section. It stands in a comment at the line that enforces
the sentence, and above or inside the test that proves it. docs/requirements/exceptions.tsv has an id
and a reason a line, for what no test of ours can show. MUST stands for MUST NOT, SHALL, REQUIRED too,
SHOULD for RECOMMENDED.

The tables of sections are made of what comments of the code cite: ids, and sections such as
"RFC 9000 §13.2.1, §13.2.2". A § without an RFC means the last one of that comment, else the first one
of that file. docs/requirements/sections.tsv groups sections into rows and has their words; a section
without a group is a row of its own, without words.

exit status: 0 fine, 1 a check failed, 2 misuse
"""
import pathlib
import re
import sys

TRACED = ("rfc6886", "rfc6887", "rfc8489", "rfc8999", "rfc9000", "rfc9001", "rfc9221", "rfc9287", "rfc9368", "rfc9369",
          "rfc9406", "rfc9438")
SHOWN = TRACED + ("rfc9002",)  # RFC 9002 leaves loss detection and congestion control to the endpoint.
CODE = ("transport", "crypto", "cache", "p2p")
SOURCES = (".cpp", ".hpp", ".sh", ".py")
MUST = ("MUST", "MUST NOT", "SHALL", "SHALL NOT", "REQUIRED")
SHOULD = ("SHOULD", "SHOULD NOT", "RECOMMENDED", "NOT RECOMMENDED")
SHOULD_PERCENT = 80
ID = re.compile(r"(?<![\w.-])((?:rfc\d{4}|draft-[a-z]+(?:-[a-z]+)+)-(?:\d+|[A-Z])(?:\.\d+)*-\d+)")
CITATION = re.compile(r"\bRFC (\d+)\b|\b(draft-[a-z]+(?:-[a-z]+)+)|§((?:\d+|[A-Z])(?:\.\d+)*)")
BEGIN, END = (f"<!-- {word}: written by scripts/requirements.py -->" for word in ("begin", "end"))
TEST = re.compile(r"^(?:TEST|TEST_F|TEST_P|SIMULATE)\((\w+), (\w+)\)|^SIMULATE_IN\(\w+, (\w+), (\w+)\)")


class Row:
    def __init__(self, level):
        self.level = level
        self.reason = ""
        self.enforced = []
        self.tests = []

    def state(self):
        if self.tests:
            return "tested"
        return "excepted" if self.reason else "open"

    def kind(self):
        return "MUST" if self.level in MUST else "SHOULD" if self.level in SHOULD else "MAY"


def read_tables(folder):
    """Document to {id: Row}, in the order of the files."""
    documents = {}
    for path in sorted(folder.glob("*.tsv")):
        if path.name not in ("exceptions.tsv", "sections.tsv"):
            lines = (line.split("\t") for line in path.read_text().splitlines())
            documents[path.stem] = {id_: Row(level) for id_, level in lines}
    return documents


def read_exceptions(path, rows, faults):
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        id_, tab, reason = line.partition("\t")
        if not tab or len(reason) < 10:
            faults.append(f"{path.name}:{number}: an id, a tab and a reason are wanted")
        elif id_ not in rows:
            faults.append(f"{path.name}:{number}: unknown id {id_}")
        elif rows[id_].reason:
            faults.append(f"{path.name}:{number}: {id_} for the second time")
        else:
            rows[id_].reason = reason


def tests_by_line(lines, whole):
    """The name of the test that each line belongs to: the one around it, else the next, else `whole`."""
    names = [""] * len(lines)
    current = ""
    for i, line in enumerate(lines):
        if found := TEST.match(line):
            current = ".".join(part for part in found.groups() if part)
        names[i] = current
        if line.startswith("}"):
            current = ""
    following = whole
    for i in range(len(lines) - 1, -1, -1):
        following = names[i] = names[i] or following
    return names


def sources(root, folders):
    for folder in folders:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in SOURCES and path.is_file():
                yield path.relative_to(root).as_posix(), path.read_text(errors="replace").splitlines()


def read_sources(root, rows, faults):
    def note(name, number, line, place, field):
        for id_ in ID.findall(line):
            if id_ not in rows:
                faults.append(f"{name}:{number}: unknown id {id_}")
            elif place not in getattr(rows[id_], field):
                getattr(rows[id_], field).append(place)

    for name, lines in sources(root, CODE):
        for number, line in enumerate(lines, 1):
            note(name, number, line, name, "enforced")
    for name, lines in sources(root, ("tests",)):
        places = tests_by_line(lines, name)
        for number, (line, place) in enumerate(zip(lines, places), 1):
            note(name, number, line, place, "tests")


def cited_sections(root, documents):
    """Document to {section: {file that cites it in a comment: whether it does at its head}}."""
    cited = {document: {} for document in documents}

    def note(document, section, name):
        if document in cited:
            names = cited[document].setdefault(section, {})
            names[name] = names.get(name, False) or at_head

    for name, lines in sources(root, CODE):
        first = current = None
        at_head = True
        for line in lines:
            _, comment, text = line.partition("//")
            at_head = at_head and line.startswith("//")
            if not comment:
                current = None
                continue
            for id_ in ID.findall(text):
                document, section, _ = id_.rsplit("-", 2)
                note(document, section, name)
            for rfc, draft, section in CITATION.findall(ID.sub("", text)):
                if section:
                    note(current or first, section, name)
                else:
                    current = draft or "rfc" + rfc
                    first = first or current
    return cited


def read_groups(path, documents, faults):
    """Document to {section: (the sections of its row, its words)}."""
    groups = {document: {} for document in documents}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        document, sections, words = (line.split("\t") + ["", ""])[:3]
        if document not in groups or not sections or not words:
            faults.append(f"{path.name}:{number}: a document, sections and words are wanted")
            continue
        for section in sections.split(", "):
            if section in groups[document]:
                faults.append(f"{path.name}:{number}: {document} §{section} for the second time")
            groups[document][section] = (sections, words)
    return groups


def group_of(section, groups):
    """The row of a section: by its own number, else that of the nearest section around it."""
    around = section
    while around and around not in groups:
        around = around.rpartition(".")[0]
    return groups.get(around, (section, ""))


def in_order(section):
    """Sections as numbers, appendices behind them."""
    return [(part.isalpha(), int(part) if part.isdigit() else 0, part) for part in section.split(".")]


def files_of(names):
    """Sorted, those first that cite the section at their head. No source beside a header of its name."""
    listed = [name for name in sorted(names) if not (name.endswith(".cpp") and name[:-4] + ".hpp" in names)]
    parts = ([f"`{name}`" for name in listed if names[name] == at_head] for at_head in (True, False))
    return "; ".join(", ".join(part) for part in parts if part)


def tables_of_sections(cited, groups, faults):
    out = []
    for document, sections in cited.items():
        rows = {}
        for section, names in sections.items():
            row = rows.setdefault(group_of(section, groups[document]), {})
            for name, at_head in names.items():
                row[name] = row.get(name, False) or at_head
        for row in sorted(set(groups[document].values()) - set(rows)):
            faults.append(f"sections.tsv: no code cites {document} §{row[0]}")
        if rows:
            title = document if document.startswith("draft") else f"RFC {document[3:]}"
            out += ["", f"| {title} | | code |", "|---|---|---|"]
            out += [f"| {row[0]} | {row[1]} | {files_of(rows[row])} |"
                    for row in sorted(rows, key=lambda row: in_order(row[0].partition(",")[0]))]
    return "\n".join(out) + "\n\n"


def with_tables(text, tables, faults):
    """The page with these tables between its two markers."""
    before, begin, rest = text.partition(BEGIN + "\n")
    _, end, after = rest.partition(END + "\n")
    if not begin or not end:
        faults.append("docs/architecture.md has no markers around the tables of sections")
        return text
    return before + begin + tables + end + after


def update(root, pages, mode, faults):
    """Writes the pages, or says which are stale."""
    for name, text in pages.items():
        path = root / name
        if mode == "write":
            path.write_text(text)
        elif mode == "check" and (not path.exists() or path.read_text() != text):
            faults.append(f"{name} is stale: run scripts/requirements.py")


def sums(rows, kind):
    of_kind = [row.state() for row in rows if row.kind() == kind]
    return {state: of_kind.count(state) for state in ("tested", "excepted", "open")} | {"all": len(of_kind)}


def sums_line(kind, count):
    return (f"{kind} rows: {count['tested']} tested, {count['excepted']} excepted, "
            f"{count['open']} open of {count['all']}")


def page(documents, traced_rows):
    out = ["<!-- SPDX-License-Identifier: MIT OR BSD-3-Clause -->", "# Requirements", "",
           "Made by scripts/requirements.py: every sentence of these RFCs that binds an endpoint, by an id",
           "that counts the sentences of a section, with the files that enforce it and the tests that prove",
           "it, or the reason why no test of ours can. Sentences that only allow (MAY) appear where a test",
           "or a line of code names them. These sums are of all documents but RFC 9002, which leaves much to",
           "the endpoint.", ""]
    out += [f"- {sums_line(kind, sums(traced_rows, kind))}" for kind in ("MUST", "SHOULD")]
    for document in SHOWN:
        rows = documents[document]
        out += ["", f"## RFC {document[3:]}", ""]
        out += [f"{sums_line(kind, sums(rows.values(), kind))}." for kind in ("MUST", "SHOULD")]
        out += ["", "| id | level | state | enforced in | tested by, or why not |", "|---|---|---|---|---|"]
        for id_, row in rows.items():
            if row.kind() == "MAY" and not row.tests and not row.enforced:
                continue
            state = "" if row.kind() == "MAY" and row.state() == "open" else row.state()
            proof = ", ".join(row.tests) or row.reason
            out.append(f"| {id_} | {row.level} | {state} | {', '.join(row.enforced)} | {proof} |")
    return "\n".join(out) + "\n"


def main(arguments):
    if "--help" in arguments or "-h" in arguments:
        print(__doc__.strip())
        return 0
    root = pathlib.Path(__file__).resolve().parent.parent
    mode = "write"
    while arguments:
        argument = arguments.pop(0)
        if argument in ("--check", "--open") and mode == "write":
            mode = argument[2:]
        elif argument == "--root" and arguments:
            root = pathlib.Path(arguments.pop(0))
        else:
            print(f"requirements.py: what is '{argument}'? See --help.", file=sys.stderr)
            return 2
    folder = root / "docs" / "requirements"
    if not folder.is_dir():
        print(f"requirements.py: {folder} is no folder", file=sys.stderr)
        return 2

    faults = []
    documents = read_tables(folder)
    rows = {id_: row for table in documents.values() for id_, row in table.items()}
    read_exceptions(folder / "exceptions.tsv", rows, faults)
    read_sources(root, rows, faults)
    traced = {id_: row for document in TRACED for id_, row in documents[document].items()}
    faults += [f"exceptions.tsv: {id_} is tested: {row.tests[0]}"
               for id_, row in rows.items() if row.reason and row.tests]

    architecture = root / "docs" / "architecture.md"
    tables = tables_of_sections(cited_sections(root, documents),
                                read_groups(folder / "sections.tsv", documents, faults), faults)
    update(root, {"docs/requirements.md": page(documents, traced.values()),
                  "docs/architecture.md": with_tables(architecture.read_text(), tables, faults)}, mode, faults)
    should, must = sums(traced.values(), "SHOULD"), sums(traced.values(), "MUST")
    if (should["all"] - should["open"]) * 100 < should["all"] * SHOULD_PERCENT:
        faults.append(f"less than {SHOULD_PERCENT} % of the SHOULD rows are tested or excepted")
    for id_, row in traced.items():
        if row.state() == "open" and (row.kind() == "MUST" or row.kind() == "SHOULD" and mode == "open"):
            print(f"open: {id_} ({row.level}){' ' if row.enforced else ''}{', '.join(row.enforced)}")
    for fault in faults:
        print(fault)
    print(sums_line("SHOULD", should))
    print(sums_line("MUST", must))
    return 1 if mode == "check" and (faults or must["open"]) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
