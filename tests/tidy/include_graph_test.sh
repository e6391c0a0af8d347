#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR BSD-3-Clause
# include_graph_test.sh: include_graph.sh sees each kind of breach, and only breaches.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
failures=0

# verdict WANTED FILE LINE...: FILE, alone with two good neighbours, is accepted or refused
verdict() {
  local wanted=$1 file=$2 got=accepted output
  shift 2
  rm -rf "${root:?}"/*
  mkdir -p "$root/transport/base" "$root/transport/io" "$root/transport/connection" "$root/crypto/openssl" \
    "$root/tests" "$root/bench" "$root/fuzz" "$root/$(dirname "$file")"
  for neighbour in transport/base/a transport/io/a transport/connection/a crypto/a; do
    echo '#pragma once' >"$root/$neighbour.hpp"
  done
  printf '%s\n' "$@" >"$root/$file"
  output=$(bash "$here/include_graph.sh" "$root" 2>&1) || got=refused
  if [ "$got" != "$wanted" ]; then
    echo "$file ($*): $got, should be $wanted: $output"
    failures=$((failures + 1))
  fi
}

verdict accepted transport/connection/b.cpp '#include "qpeer/transport/base/a.hpp"' '#include "qpeer/crypto/a.hpp"'
verdict accepted transport/io/b.cpp '#include <sys/socket.h>' 'auto t = std::chrono::steady_clock::now();'
verdict accepted crypto/openssl/b.cpp '#include <openssl/ssl.h>' '#include "qpeer/crypto/a.hpp"'
verdict accepted p2p/cli/b.cpp '#include "qpeer/transport/io/a.hpp"'
verdict accepted transport/base/b.cpp '// throw, steady_clock and std::mutex are words here' 'auto s = "throw me";'
verdict accepted transport/base/a.cpp '// Words.' '#include "qpeer/transport/base/a.hpp"' '#include <vector>'
verdict refused transport/base/a.cpp '#include <vector>' '#include "qpeer/transport/base/a.hpp"'
verdict refused transport/base/a.cpp '#define A' '#include "qpeer/transport/base/a.hpp"'
verdict refused transport/base/b.cpp '#include "qpeer/transport/connection/a.hpp"'
verdict refused transport/base/b.cpp '#include "a.hpp"'
verdict refused transport/base/b.cpp '#include "transport/base/a.hpp"'
verdict refused transport/base/b.cpp '#include <qpeer/transport/base/a.hpp>'
verdict refused transport/base/b.cpp '#include "qpeer/transport/base/absent.hpp"'
verdict refused transport/io/b.cpp '#include "qpeer/transport/connection/a.hpp"'
verdict refused transport/base/b.hpp 'int missing_pragma_once;'
verdict refused transport/io/b.hpp '#pragma once' '#include <netinet/in.h>'
verdict refused p2p/b.cpp '#include "qpeer/transport/io/a.hpp"'
verdict accepted p2p/nat/b.cpp '#include "qpeer/transport/base/a.hpp"'
verdict refused p2p/nat/b.cpp '#include "qpeer/transport/connection/a.hpp"'
verdict refused p2p/nat/b.cpp 'auto t = std::chrono::steady_clock::now();'
verdict refused cache/b.cpp '#include <arpa/inet.h>'
verdict refused crypto/b.cpp '#include <openssl/evp.h>'
verdict refused crypto/openssl/b.hpp '#pragma once' '#include <openssl/evp.h>'
verdict refused transport/connection/b.cpp 'auto t = std::chrono::steady_clock::now();'
verdict refused transport/connection/b.cpp 'std::random_device device;'
verdict refused transport/connection/b.cpp 'std::mutex mutex;'
verdict refused transport/connection/b.cpp 'void f() { throw 1; }'
verdict refused transport/extra/b.cpp 'int no_such_layer;'
verdict refused misc/b.cpp 'int no_such_folder;'

[ $failures = 0 ] && echo "every kind of breach is seen"
exit $((failures > 0))
