// SPDX-License-Identifier: MIT OR BSD-3-Clause
// NAT-PMP messages: what decodes as one is the same message when it is written again.
//
// The input is the datagram.
#include <array>

#include "qpeer/fuzz/check.hpp"
#include "qpeer/p2p/nat/nat_pmp.hpp"

using namespace qpeer;
using fuzz::check;
using namespace qpeer::p2p;

namespace {

template <class Message>
void write_again(const Message& message, Bytes datagram) {
  std::array<u8, 16> storage{};
  Writer out{storage};
  message.encode(out);
  check(out.ok());
  check(Message::decode(out.written()) == message);
  check(out.size() == datagram.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  const Bytes datagram{data, size};
  const auto request = NatPmpRequest::decode(datagram);
  const auto response = NatPmpResponse::decode(datagram);
  check(!request || !response);
  if (request) write_again(*request, datagram);
  // An error may have another size, and is read in part then.
  const bool is_whole = response && size == (response->opcode == NatPmpOpcode::map_udp ? 16U : 12U);
  if (is_whole) write_again(*response, datagram);
  check(!response || is_whole || response->result != NatPmpResult::success);
  return 0;
}
