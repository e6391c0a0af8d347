#!/bin/sh
# SPDX-License-Identifier: MIT OR BSD-3-Clause
# prefix_archives.sh: gives the names of static libraries a prefix of our own, and takes them into libqpeer.a.
#
#   prefix_archives.sh make NM AR OBJCOPY OUT ARCHIVE...     OUT/others.a, OUT/names
#   prefix_archives.sh merge NM AR OBJCOPY OUT LIBRARY       LIBRARY refers to those names, and has them
#
# A program that exports its symbols (any does whose shared libraries define the same ones) would lend, say, this
# OpenSSL to each shared library that was built for another: they crash, or worse, do not. So each symbol that
# the archives define becomes qpeer_<name>, and so does each reference of ours.
set -eu
task=$1 nm=$2 ar=$3 objcopy=$4 out=$5
shift 5
case $task in
  make)
    mkdir -p "$out"
    cd "$out"
    rm -f others.a archive-*.a names
    count=0
    for archive; do # The language of ar has no quotes: names in this folder need none.
      count=$((count + 1))
      ln -s "$archive" "archive-$count.a"
    done
    "$nm" -g --defined-only -f posix archive-*.a 2>/dev/null |
      awk 'NF >= 3 && !seen[$1]++ { print $1, "qpeer_" $1 }' >names.new
    [ -s names.new ] || { echo "prefix_archives.sh: $* define nothing" >&2; exit 1; }
    { echo 'create merged.a'; printf 'addlib %s\n' archive-*.a; printf 'save\nend\n'; } | "$ar" -M
    "$objcopy" --redefine-syms=names.new merged.a
    mv merged.a others.a
    mv names.new names
    rm -f archive-*.a ;;
  merge)
    library=$1
    cd "$out"
    rm -f ours.a whole.a
    cp "$library" ours.a
    "$objcopy" --redefine-syms=names ours.a
    printf 'create whole.a\naddlib ours.a\naddlib others.a\nsave\nend\n' | "$ar" -M
    mv whole.a "$library"
    rm -f ours.a ;;
  *) echo "prefix_archives.sh: no task '$task'" >&2; exit 2 ;;
esac
