// The commands of qpeer-hq. Each takes the words after its name and gives the exit status.
#pragma once

#include <span>
#include <string_view>

namespace qpeer::hq {

inline constexpr std::string_view kAlpn = "hq-interop";

int get_command(std::span<char* const> words);
int serve_command(std::span<char* const> words);

}  // namespace qpeer::hq
