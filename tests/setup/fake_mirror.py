#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR BSD-3-Clause
"""A mirror of Debian on the loopback, for one source package and one binary package.

usage: fake_mirror.py FOLDER VERSION:SUITE:STATE...

Prints its address and serves until it is killed. VERSION is Debian's of the source package `tiny` and of the
binary package `tiny-bin`; SUITE is where it is listed; STATE says what becomes of a download: good, missing (404),
cut (the connection ends half-way) or forged (other bytes than the index promises).
"""
import hashlib
import http.server
import io
import pathlib
import re
import subprocess
import sys
import tarfile


def tar(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:xz") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


def source_files(version):
    """Of `tiny`, format 3.0 (native): the name and the bytes of each."""
    body = tar({f"tiny-{version}/VERSION": version + "\n",
                f"tiny-{version}/debian/source/format": "3.0 (native)\n"})
    name = f"tiny_{version}.tar.xz"
    dsc = (f"Format: 3.0 (native)\nSource: tiny\nBinary: tiny\nArchitecture: any\nVersion: {version}\n"
           f"Maintainer: Nobody <nobody@example.org>\n"
           f"Checksums-Sha256:\n {hashlib.sha256(body).hexdigest()} {len(body)} {name}\n"
           f"Files:\n {hashlib.md5(body).hexdigest()} {len(body)} {name}\n")
    return {f"tiny_{version}.dsc": dsc.encode(), name: body}


def binary_file(folder, version):
    root = folder / f"deb-{version}"
    (root / "DEBIAN").mkdir(parents=True)
    (root / "DEBIAN/control").write_text(f"Package: tiny-bin\nVersion: {version}\nArchitecture: all\n"
                                         "Maintainer: Nobody <nobody@example.org>\nDescription: tiny\n")
    name = f"tiny-bin_{version}_all.deb"
    subprocess.run(["dpkg-deb", "-b", str(root), str(folder / name)], check=True, stdout=subprocess.DEVNULL)
    return name, (folder / name).read_bytes()


def main():
    folder = pathlib.Path(sys.argv[1])
    files, states, sources, packages = {}, {}, {}, {}
    for word in sys.argv[2:]:
        version, suite, state = word.split(":")
        made = source_files(version)
        name, body = binary_file(folder, version)
        entry = f"Package: tiny\nBinary: tiny\nVersion: {version}\nFormat: 3.0 (native)\nArchitecture: any\nDirectory: pool\nFiles:\n"
        entry += "".join(f" {hashlib.md5(b).hexdigest()} {len(b)} {n}\n" for n, b in made.items())
        entry += "Checksums-Sha256:\n" + "".join(f" {hashlib.sha256(b).hexdigest()} {len(b)} {n}\n" for n, b in made.items())
        sources.setdefault(suite, []).append(entry)
        packages.setdefault(suite, []).append(
            f"Package: tiny-bin\nVersion: {version}\nArchitecture: all\nMaintainer: Nobody <nobody@example.org>\n"
            f"Filename: pool/{name}\nSize: {len(body)}\nSHA256: {hashlib.sha256(body).hexdigest()}\nDescription: tiny\n")
        for each, data in {**made, name: body}.items():
            files["/pool/" + each] = data
            states["/pool/" + each] = state
    for suite in sources:
        indexes = {"main/source/Sources": "\n".join(sources[suite]).encode(),
                   "main/binary-amd64/Packages": "\n".join(packages[suite]).encode()}
        sums = "".join(f" {hashlib.sha256(b).hexdigest()} {len(b)} {n}\n" for n, b in indexes.items())
        release = f"Origin: Test\nSuite: {suite}\nCodename: {suite}\nArchitectures: amd64\nComponents: main\nSHA256:\n{sums}"
        files[f"/dists/{suite}/Release"] = release.encode()
        files.update({f"/dists/{suite}/{n}": b for n, b in indexes.items()})

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            path = re.sub("^http://[^/]*", "", self.path)  # As a proxy is asked.
            path = path.replace("%7e", "~").replace("%2b", "+")
            body, state = files.get(path), states.get(path, "good")
            if body is None or state == "missing":
                return self.send_error(404)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if state == "cut":
                body = body[:len(body) // 2]
                self.close_connection = True
            elif state == "forged":
                body = bytes(len(body))
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(f"http://127.0.0.1:{server.server_address[1]}/", flush=True)
    server.serve_forever()


main()
