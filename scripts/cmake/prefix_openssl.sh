#!/bin/sh
# SPDX-License-Identifier: MIT OR BSD-3-Clause
# prefix_openssl.sh: gives a static OpenSSL names of our own, and takes it into libqpeer.a.
#
#   prefix_openssl.sh make NM AR OBJCOPY OUT LIBSSL LIBCRYPTO     OUT/openssl.a, OUT/names
#   prefix_openssl.sh merge NM AR OBJCOPY OUT LIBRARY             LIBRARY refers to those names, and has them
#
# A program that exports its symbols (any does whose shared libraries define the same ones) would lend this
# OpenSSL to each shared library that was built for another: they crash, or worse, do not. So each symbol that
# it defines becomes qpeer_<name>, and so does each reference of ours.
set -eu
task=$1 nm=$2 ar=$3 objcopy=$4 out=$5
shift 5
case $task in
  make)
    mkdir -p "$out"
    cd "$out"
    rm -f openssl.a ssl.a crypto.a names
    ln -s "$1" ssl.a # The language of ar has no quotes: names in this folder need none.
    ln -s "$2" crypto.a
    "$nm" -g --defined-only -f posix ssl.a crypto.a 2>/dev/null |
      awk 'NF >= 3 && !seen[$1]++ { print $1, "qpeer_" $1 }' >names.new
    [ -s names.new ] || { echo "prefix_openssl.sh: $1 and $2 define nothing" >&2; exit 1; }
    printf 'create merged.a\naddlib ssl.a\naddlib crypto.a\nsave\nend\n' | "$ar" -M
    "$objcopy" --redefine-syms=names.new merged.a
    mv merged.a openssl.a
    mv names.new names
    rm -f ssl.a crypto.a ;;
  merge)
    library=$1
    cd "$out"
    rm -f ours.a whole.a
    cp "$library" ours.a
    "$objcopy" --redefine-syms=names ours.a
    printf 'create whole.a\naddlib ours.a\naddlib openssl.a\nsave\nend\n' | "$ar" -M
    mv whole.a "$library"
    rm -f ours.a ;;
  *) echo "prefix_openssl.sh: no task '$task'" >&2; exit 2 ;;
esac
