// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The version of qpeer, for the preprocessor. The build takes it from here.
#pragma once

#define QPEER_VERSION_MAJOR 0
#define QPEER_VERSION_MINOR 1
#define QPEER_VERSION_PATCH 0

/// One number that grows with each version: `#if QPEER_VERSION >= QPEER_MAKE_VERSION(0, 2, 0)`.
#define QPEER_MAKE_VERSION(major, minor, patch) ((major) * 1'000'000 + (minor) * 1'000 + (patch))
#define QPEER_VERSION \
  QPEER_MAKE_VERSION(QPEER_VERSION_MAJOR, QPEER_VERSION_MINOR, QPEER_VERSION_PATCH)
