# SPDX-License-Identifier: MIT OR BSD-3-Clause
"""between_marks.py PAGE NAME: puts the standard input between the lines "<!-- NAME begins -->" and "<!-- NAME ends -->" of a
page, in place of what is there. Without these lines it is put at the end, with them."""
import os
import re
import sys

path, name = sys.argv[1:]
begin, end = f"<!-- {name} begins -->", f"<!-- {name} ends -->"
part = "\n".join([begin, sys.stdin.read().rstrip("\n"), end])
page = open(path).read()
if begin in page and end in page:
    page = re.sub(f"{re.escape(begin)}.*{re.escape(end)}", lambda _: part, page, flags=re.S)
else:
    page = page.rstrip("\n") + "\n\n" + part + "\n"
with open(path + ".new", "w") as out:
    out.write(page)
os.replace(path + ".new", path)
