#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR BSD-3-Clause
# package_test.sh WAY BUILD SOURCE CMAKE CXX: qpeer as its users meet it. BUILD is installed into a prefix, which
# is then moved, and used by somebody else: another HOME, no cache folder, and another user where we are root.
#   find_package pkg_config plain            small.cpp is built and runs
#   add_subdirectory fetch_content           with SOURCE beside a host that has folders of the same names, and has
#                                            found an OpenSSL 3.0; the latter with link-time optimization
#   front_door                               the same host with the installed library; each public header alone
#   two_openssl                              with a shared library on the system's OpenSSL in the same process
# Exit status 77: this way has no meaning here.
set -euo pipefail
export LC_ALL=C
way=$1 build=$2 source=$3 cmake=$4 cxx=$5
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
mkdir -m 777 "$work/home" "$work/out" "$work/a folder"

fail() {
  echo "$*" >&2
  exit 1
}

# stranger COMMAND...: as another user, if we may, with a HOME that holds nothing
stranger() {
  local as=()
  if [ "$(id -u)" = 0 ]; then as=(setpriv --reuid=65534 --regid=65534 --clear-groups); fi
  (cd "$work/out" && "${as[@]}" env -u XDG_CACHE_HOME -u OPENSSL_ROOT_DIR HOME="$work/home" CCACHE_DISABLE=1 "$@")
}

install_library() { # into "$work/a folder/prefix", by way of another place
  "$cmake" --install "$build" --prefix "$work/first" >"$work/install.log" || { cat "$work/install.log"; exit 1; }
  mv "$work/first" "$work/a folder/prefix"
  prefix="$work/a folder/prefix"
  cp -r "$here" "$work/out/package"
  chmod -R a+rX "$work"
  if grep -r -l -F -e "$work/first" -e "${XDG_CACHE_HOME:-${HOME:-/nowhere}/.cache}/qpeer" --include='*.cmake' --include='*.pc' "$prefix"; then
    fail "the files above name places of the machine that built them"
  fi
}

# make_old_openssl: in "$work/out/old", what CMake takes for OpenSSL 3.0.13, which the host has found before
make_old_openssl() {
  mkdir -p "$work/out/old/include/openssl" "$work/out/old/lib"
  cat >"$work/out/old/include/openssl/opensslv.h" <<'HEADER'
#define OPENSSL_VERSION_MAJOR 3
#define OPENSSL_VERSION_MINOR 0
#define OPENSSL_VERSION_PATCH 13
#define OPENSSL_VERSION_STR "3.0.13"
#define OPENSSL_VERSION_TEXT "OpenSSL 3.0.13"
HEADER
  touch "$work/out/old/include/openssl/ssl.h"
  echo 'int old_openssl;' >"$work/out/old/old.cpp"
  for name in ssl crypto; do "$cxx" -shared -fPIC "$work/out/old/old.cpp" -o "$work/out/old/lib/lib$name.so"; done
  chmod -R a+rX "$work/out/old"
}

make_host_folder() { # folders with the names of ours, each with a header that says whose it is
  local header
  for header in crypto/aead:aead crypto/keys:keys cache/bootstrap_cache:cache p2p/node:p2p tests/sim/network:tests \
    transport/base/bytes:bytes; do
    mkdir -p "$work/out/host/$(dirname "${header%:*}")"
    echo "#pragma once
inline constexpr int host_${header#*:} = 1;" >"$work/out/host/${header%:*}.hpp"
  done
  chmod -R a+rX "$work"
}

beside() { # beside FLAG...: SOURCE in a project that has chosen no build type
  local commands
  export CCACHE_BASEDIR="$work" CCACHE_NOHASHDIR=1 # The folder's name is another in each run.
  make_host_folder
  make_old_openssl
  "$cmake" -G Ninja -S "$here/add_subdirectory" -B "$work/build" -DQPEER_SOURCE="$source" -DQPEER_HOST_FOLDER="$work/out/host" \
    -DCMAKE_PREFIX_PATH="$work/out/old" \
    -DCMAKE_CXX_COMPILER="$cxx" -DCMAKE_EXPORT_COMPILE_COMMANDS=ON \
    $(command -v ccache >/dev/null && echo -DCMAKE_CXX_COMPILER_LAUNCHER=ccache) "$@"
  commands=$(grep -F '"command"' "$work/build/compile_commands.json" | grep -F connection_machine.cpp)
  [[ $commands == *" -O2 "* ]] || fail "without a build type the library is not optimised: $commands"
  [[ $commands != *-Werror* ]] || fail "warnings are errors for those who only use the library"
  "$cmake" --build "$work/build"
  "$work/build/consumer"
  "$work/build/host_BEFORE"
  "$work/build/host_AFTER"
}

# shared_openssl: the words of the command line for an OpenSSL that is not in the library; none for one that is
shared_openssl() {
  PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name qpeer.pc)") pkg-config --libs qpeer | tr ' ' '\n' |
    grep -E '^-(lssl|lcrypto|Wl,)|^-L/[^ ]*openssl' || true
}

compile() { # compile OUT SOURCE FLAG...: against the installed library, as a stranger
  # shellcheck disable=SC2046
  stranger "$cxx" -std=c++23 "$2" -o "$1" "${@:3}" -I "$prefix/include" -L "$prefix/lib" -lqpeer -pthread $(shared_openssl)
}

public_headers() { sed -n 's/^\([^#].*\)$/\1/p' "$source/scripts/public_headers.txt"; }

front_door() {
  local header name count installed
  make_host_folder
  compile host_before package/host.cpp -I host
  compile host_after package/host.cpp -idirafter host
  stranger ./host_before
  stranger ./host_after
  count=$(public_headers | wc -l)
  installed=$(find "$prefix/include" -type f | wc -l)
  [ "$count" -le 70 ] || fail "$count public headers; no more than 70 are wanted"
  [ "$count" = "$installed" ] || fail "$count headers are public, $installed are installed"
  while read -r header; do
    name=qpeer/${header#transport/qpeer/}
    [ -e "$prefix/include/$name" ] || fail "$name is not installed"
    echo "#include <$name>"$'\n'"#include <$name>" >"$work/out/alone_${name//\//_}.cpp"
  done < <(public_headers)
  (cd "$work/out" && printf '%s\n' alone_*.cpp) >"$work/alone"
  stranger xargs -P "$(nproc)" -n 1 "$cxx" -std=c++23 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I "$prefix/include" \
    <"$work/alone" || fail "a public header does not compile alone (see above)"
  if grep -r -n -E '#include <(fmt|openssl)/' "$prefix/include"; then fail "a public header wants more than qpeer"; fi
  echo "$count public headers"
}

two_openssl() {
  local ssl crypto version ours
  # The system's OpenSSL by its files, for its development package need not be there.
  ssl=$(ldconfig -p | sed -n 's/.*libssl\.so\.3 .* => //p' | head -n 1)
  crypto=$(ldconfig -p | sed -n 's/.*libcrypto\.so\.3 .* => //p' | head -n 1)
  [ -n "$ssl" ] || fail "the system has no libssl.so.3"
  version=$(grep -a -o -E -m 1 'OpenSSL 3\.[0-9]+\.[0-9]+' "$crypto" | head -n 1)
  stranger "$cxx" -std=c++23 -fPIC -shared package/old_openssl.cpp -o libold.so "$ssl" "$crypto"
  compile two package/two_openssl.cpp ./libold.so -Wl,-rpath,.
  compile two_exported package/two_openssl.cpp ./libold.so -Wl,-rpath,. -rdynamic
  for program in two two_exported; do
    stranger "./$program" "$version"
    stranger "./$program" "$version" first
  done
  ours=$(nm -D --defined-only "$work/out/two_exported" | grep -c -E ' [A-Z] (SSL|EVP|CRYPTO|OPENSSL|X509|ASN1|BIO|ERR)_' || true)
  [ "$ours" = 0 ] || fail "$ours symbols of OpenSSL are lent to every library of the process"
  nm --defined-only "$prefix/lib/libqpeer.a" 2>/dev/null >"$work/out/symbols"
  # What the library may define: C++ names (all of ours begin with _Z), and what it took in under names of its own.
  ours=$(awk '$2 ~ /^[TDBRVWCGS]$/ && $3 !~ /^(_Z|qpeer_|DW[.]ref[.])/ { print $3 }' "$work/out/symbols")
  [ -z "$ours" ] || fail "libqpeer.a defines names that are others': $(head -n 5 <<<"$ours" | paste -sd ' ')"
  echo "exported: $(nm -D --defined-only "$work/out/two" | wc -l) symbols, none of OpenSSL; built for $version"
}

case $way in
  find_package)
    install_library
    stranger "$cmake" -G Ninja -S package/find_package -B build -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_CXX_COMPILER="$cxx" \
      -DCMAKE_BUILD_TYPE=Release
    stranger "$cmake" --build build
    stranger build/consumer
    # The same package, if it had been built for a shared OpenSSL, where there is none that is new enough.
    if grep -q '^if(NOT TRUE)' "$prefix/lib/cmake/qpeer/qpeerConfig.cmake"; then
      cp -r "$prefix" "$work/out/shared"
      sed -i 's/^if(NOT TRUE)/if(NOT FALSE)/' "$work/out/shared/lib/cmake/qpeer/qpeerConfig.cmake"
      stranger "$cmake" -G Ninja -S package/find_package -B absent -DCMAKE_PREFIX_PATH="$work/out/shared" \
        -DCMAKE_CXX_COMPILER="$cxx" -DQPEER_ABSENT=ON
    fi ;;
  pkg_config)
    install_library
    pc=$(dirname "$(find "$prefix" -name qpeer.pc)")
    flags=$(PKG_CONFIG_PATH=$pc pkg-config --cflags --libs qpeer)
    echo "$flags"
    [[ $flags != *fmt* ]] || fail "fmt is part of the interface"
    # As a person would type it: the shell takes pkg-config's escapes for a space in a folder's name.
    stranger bash -c "$cxx -std=c++23 package/small.cpp -o consumer $flags"
    stranger ./consumer ;;
  plain)
    install_library
    compile consumer package/small.cpp
    stranger ./consumer
    # The program that is installed needs no more than the library.
    stranger "$prefix/bin/qpeer" id --key "$work/home/key"
    if ldd "$prefix/bin/qpeer" | grep -F libfmt; then fail "the installed program wants libfmt"; fi ;;
  front_door)
    install_library
    front_door ;;
  two_openssl)
    install_library
    if [ -n "$(shared_openssl)" ]; then echo "one OpenSSL serves all"; exit 77; fi
    two_openssl ;;
  add_subdirectory) beside ;;
  fetch_content) beside -DQPEER_FETCH=ON -DCMAKE_INTERPROCEDURAL_OPTIMIZATION=ON ;;
  *) echo "package_test.sh: no way '$way'" >&2; exit 2 ;;
esac
