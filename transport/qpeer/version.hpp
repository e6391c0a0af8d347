// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The version of qpeer, for the preprocessor. The build takes it from here.
#pragma once

/// Changes of it, or of the next one before 1.0, may break users.
#define QPEER_VERSION_MAJOR 0
/// Grows with what is new.
#define QPEER_VERSION_MINOR 1
/// Grows with what is mended.
#define QPEER_VERSION_PATCH 0

/// One number that grows with each version: `#if QPEER_VERSION >= QPEER_MAKE_VERSION(0, 2, 0)`.
#define QPEER_MAKE_VERSION(major, minor, patch) ((major) * 1000000 + (minor) * 1000 + (patch))
/// This version, as QPEER_MAKE_VERSION() makes it.
#define QPEER_VERSION \
  QPEER_MAKE_VERSION(QPEER_VERSION_MAJOR, QPEER_VERSION_MINOR, QPEER_VERSION_PATCH)
