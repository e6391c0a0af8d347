#!/bin/bash
# SPDX-License-Identifier: MIT OR BSD-3-Clause
# build.sh: what OSS-Fuzz and ClusterFuzzLite run inside their builder: every harness with its seeds and its
# dictionary goes to $OUT. The Dockerfile beside this file has put the sources of OpenSSL into $SRC/openssl.
#
# Set by the builder: SRC, WORK, OUT, CXX, CXXFLAGS, LIB_FUZZING_ENGINE; perhaps CC.
# OPENSSL_ROOT_DIR    an OpenSSL that is built already, instead
# QPEER_FUZZERS       only these harnesses, by name, separated by spaces
set -euo pipefail
: "${SRC:?}" "${WORK:?}" "${OUT:?}" "${CXX:?}" "${LIB_FUZZING_ENGINE:?}"
checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")" && git rev-parse --show-toplevel 2>/dev/null || echo "$SRC/qpeer")

# The builder's own C++ library lacks std::move_only_function: the system's has it.
export CXXFLAGS=" ${CXXFLAGS-} "
CXXFLAGS=${CXXFLAGS// -stdlib=libc++ / }

# OpenSSL is fuzzed by others: plain, so that ours is what is slow and what is measured. Nor is it built for
# fuzzing (FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION), for then it takes what is not authentic.
if [ -z "${OPENSSL_ROOT_DIR-}" ]; then
  export OPENSSL_ROOT_DIR=$WORK/openssl
  if [ ! -e "$OPENSSL_ROOT_DIR/lib/libssl.a" ]; then
    mkdir -p "$WORK/openssl-build"
    (
      cd "$WORK/openssl-build" || exit 1
      unset CFLAGS CXXFLAGS LDFLAGS
      "$SRC/openssl/Configure" no-shared no-tests no-docs no-apps --libdir=lib --openssldir=/etc/ssl \
        --prefix="$OPENSSL_ROOT_DIR" && make -j"$(nproc)" && make install_sw
    ) >"$WORK/openssl.log" 2>&1 || { tail -n 40 "$WORK/openssl.log" >&2; exit 1; }
  fi
fi

cmake -S "$checkout" -B "$WORK/qpeer" -G Ninja -DCMAKE_CXX_COMPILER="$CXX" -DCMAKE_BUILD_TYPE=Debug \
  -DCMAKE_CXX_FLAGS_DEBUG=-D_GLIBCXX_ASSERTIONS -DCMAKE_EXE_LINKER_FLAGS=-static-libstdc++ \
  -DQPEER_FUZZ=ON -DQPEER_FUZZ_ENGINE="$LIB_FUZZING_ENGINE" -DQPEER_PCH=all \
  -DQPEER_PROGRAMS=OFF -DQPEER_TESTS=OFF -DQPEER_EXAMPLES=OFF -DQPEER_INSTALL=OFF
if [ -n "${QPEER_FUZZERS-}" ]; then
  read -r -a names <<<"$QPEER_FUZZERS"
else
  mapfile -t names < <("$checkout/scripts/fuzz.sh" --list)
fi
cmake --build "$WORK/qpeer" --target "${names[@]/%/_fuzz}" "${names[@]/%/_seeds}"

for name in "${names[@]}"; do
  cp "$WORK/qpeer/bin/${name}_fuzz" "$OUT/"
  seeds=$WORK/seeds/$name
  rm -rf "$seeds"
  "$WORK/qpeer/bin/${name}_seeds" "$seeds"
  if [ -d "$checkout/fuzz/regressions/$name" ]; then cp "$checkout/fuzz/regressions/$name/"* "$seeds/"; fi
  rm -f "$OUT/${name}_fuzz_seed_corpus.zip"
  (cd "$seeds" && find . -type f | zip -q -@ "$OUT/${name}_fuzz_seed_corpus.zip")
  if [ -e "$checkout/fuzz/${name}_fuzz.dict" ]; then cp "$checkout/fuzz/${name}_fuzz.dict" "$OUT/"; fi
done
