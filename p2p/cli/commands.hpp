// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The commands of `qpeer`. Each takes the words after its name and gives the exit status.
#pragma once

#include <span>

namespace qpeer::cli {

int node_command(std::span<char* const> words);
int client_command(std::span<char* const> words);
int send_command(std::span<char* const> words);
int get_command(std::span<char* const> words);
int request_command(std::span<char* const> words);
int ping_command(std::span<char* const> words);
int doctor_command(std::span<char* const> words);
int id_command(std::span<char* const> words);
int cache_command(std::span<char* const> words);
int ca_command(std::span<char* const> words);

}  // namespace qpeer::cli
