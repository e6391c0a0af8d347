// SPDX-License-Identifier: MIT OR BSD-3-Clause
// PCP messages: what decodes as one is the same message when it is written again.
//
// The input is the datagram.
#include <array>

#include "qpeer/fuzz/check.hpp"
#include "qpeer/p2p/nat/pcp.hpp"

using namespace qpeer;
using fuzz::check;
using namespace qpeer::p2p;

namespace {

template <class Message>
void write_again(const Message& message) {
  std::array<u8, kPcpMapSize> storage{};
  Writer out{storage};
  message.encode(out);
  check(out.ok());
  check(Message::decode(out.written()) == message);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  const Bytes datagram{data, size};
  const auto request = PcpMapRequest::decode(datagram);
  const auto response = PcpResponse::decode(datagram);
  check(!request || !response);
  if (request) write_again(*request);
  if (!response) return 0;
  if (response->version == kPcpVersion) {
    check(size >= 24 && size <= kMaxPcpSize && size % 4 == 0);
    write_again(*response);
  } else {
    check(response->result == PcpResult::unsupported_version);
  }
  return 0;
}
