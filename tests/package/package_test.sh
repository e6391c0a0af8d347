#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR BSD-3-Clause
# package_test.sh WAY BUILD SOURCE CMAKE CXX: build and run main.cpp against qpeer in one WAY:
# find_package or pkg_config (of BUILD, installed into a temporary prefix and then moved elsewhere,
# for a package must not depend on where it was built) or add_subdirectory (of SOURCE).
set -euo pipefail
way=$1 build=$2 source=$3 cmake=$4 cxx=$5
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

install_library() {
  "$cmake" --install "$build" --prefix "$work/first" >"$work/install.log" || { cat "$work/install.log"; exit 1; }
  mv "$work/first" "$work/prefix"
}

case $way in
  find_package)
    install_library
    "$cmake" -G Ninja -S "$here/find_package" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/prefix" \
      -DCMAKE_CXX_COMPILER="$cxx" -DCMAKE_BUILD_TYPE=Release
    "$cmake" --build "$work/build"
    "$work/build/consumer" ;;
  pkg_config)
    install_library
    PKG_CONFIG_PATH=$(dirname "$(find "$work/prefix" -name qpeer.pc)")
    export PKG_CONFIG_PATH
    set -x
    "$cxx" -std=c++23 "$here/main.cpp" -o "$work/consumer" $(pkg-config --cflags --libs qpeer)
    "$work/consumer" ;;
  add_subdirectory)
    "$cmake" -G Ninja -S "$here/add_subdirectory" -B "$work/build" -DQPEER_SOURCE="$source" \
      -DCMAKE_CXX_COMPILER="$cxx" -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG=-O0 -DQPEER_PCH=all \
      $(command -v ccache >/dev/null && echo -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
    "$cmake" --build "$work/build"
    "$work/build/consumer" ;;
  *) echo "package_test.sh: no way '$way'" >&2; exit 2 ;;
esac
