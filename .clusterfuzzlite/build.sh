#!/bin/bash -eu
# SPDX-License-Identifier: MIT OR BSD-3-Clause
exec "$SRC/qpeer/fuzz/oss-fuzz/build.sh"
