// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/base/assert.hpp"

#include <cstdio>
#include <cstdlib>

#include "qpeer/transport/base/precondition.hpp"

namespace qpeer {
namespace {

[[noreturn]] void end_process(const char* kind, const char* text,
                              const std::source_location& where) noexcept {
  std::fprintf(stderr, "%s:%u: %s: %s does not hold: %s\n", where.file_name(),
               static_cast<unsigned>(where.line()), where.function_name(), kind, text);
  std::abort();
}

}  // namespace

void on_broken_assertion(const char* text, const std::source_location& where) noexcept {
  end_process("assertion", text, where);
}

void on_broken_invariant(const char* text, const std::source_location& where) noexcept {
  if constexpr (kAssertions) end_process("invariant", text, where);
  InvariantLatch* const latch = InvariantLatch::current_;
  if (latch != nullptr && latch->broken_ == nullptr) latch->broken_ = text;
}

void on_broken_precondition(const char* text, const std::source_location& where) noexcept {
  if constexpr (kAssertions) end_process("precondition", text, where);
}

}  // namespace qpeer
