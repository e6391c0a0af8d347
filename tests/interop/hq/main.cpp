// SPDX-License-Identifier: MIT OR BSD-3-Clause
// qpeer-hq: HTTP/0.9 over QUIC (ALPN hq-interop), as interoperation tests speak it: a bidirectional
// stream for each file, "GET /path" CR LF and FIN one way, the file and FIN the other.
#include <cstdio>
#include <span>
#include <string>
#include <string_view>

#include "qpeer/p2p/cli/common/arguments.hpp"
#include "qpeer/tests/interop/hq/commands.hpp"

int main(int argc, char** argv) {
  using namespace qpeer;
  const std::span<char* const> words(argv, static_cast<std::size_t>(argc));
  if (words.size() < 2) {
    std::fprintf(stderr, "qpeer-hq: a command is missing (see --help)\n");
    return cli::kMisuse;
  }
  const std::string_view name = words[1];
  if (name == "--help" || name == "-h") {
    std::printf(
        "usage: qpeer-hq get|serve ...\n\n"
        "  get    download files from an hq-interop server\n"
        "  serve  serve the files of a folder\n\n"
        "'qpeer-hq COMMAND --help' tells more. SSLKEYLOGFILE=FILE gets the TLS secrets, "
        "QLOGDIR=DIR/ qlog.\n");
    return cli::kSuccess;
  }
  if (name == "get") return hq::get_command(words.subspan(2));
  if (name == "serve") return hq::serve_command(words.subspan(2));
  return cli::Arguments{"qpeer-hq", "", ""}.misuse("unknown command '" + std::string(name) + "'");
}
