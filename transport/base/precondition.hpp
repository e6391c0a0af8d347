// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Preconditions of inline code in installed headers. The macros of assert.hpp are for all other code.
//
// An installed header must be the same code in the library and in every program that includes it, or
// the program has two definitions of one function. So the check is always made, and the library's
// own build decides what a breach does: with assertions the process ends, else nothing happens.
#pragma once

#include <source_location>

namespace qpeer {

/// A caller broke a precondition. Aborts where the library was built with assertions.
void on_broken_precondition(const char* text, const std::source_location& where) noexcept;

/// Checks what a caller owes. `text` says what that is; a literal.
constexpr void precondition(bool holds, const char* text,
                            const std::source_location& where = std::source_location::current()) {
  if (!holds) [[unlikely]]
    on_broken_precondition(text, where);
}

}  // namespace qpeer
