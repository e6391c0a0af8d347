#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR BSD-3-Clause
# matrix_test.sh BIN_DIR: the cases of scripts/interop.sh against ngtcp2, in their small size.
set -euo pipefail
[ $# = 1 ] || { echo "usage: tests/interop/matrix_test.sh BIN_DIR" >&2; exit 2; }
exec "$(dirname "${BASH_SOURCE[0]}")/../../scripts/interop.sh" --bin "$1" ngtcp2
