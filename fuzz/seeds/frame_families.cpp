// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/fuzz/seeds/frame_families.hpp"

#include <array>
#include <initializer_list>

#include "qpeer/transport/wire/frame.hpp"

namespace qpeer::fuzz {
namespace {

template <class F>
Input encoded(const F& frame) {
  Input storage(frame.size());
  Writer out{storage};
  frame.encode(out);
  return storage;
}

Input ack(std::initializer_list<wire::PacketNumberRange> ranges, const wire::EcnCounts* ecn) {
  Input storage(200);
  Writer out{storage};
  wire::encode_ack(out, 25, std::vector(ranges), ecn);
  storage.resize(out.size());
  return storage;
}

}  // namespace

std::vector<Family> families() {
  const Bytes text = as_bytes("some bytes of a stream");
  const std::array<u8, 8> eight{1, 2, 3, 4, 5, 6, 7, 8};
  const wire::EcnCounts counts{10, 0, 2};
  const StreamId big{400'000};
  return {
      {"frames_ack",
       {0x02, 0x03},
       {ack({{0, 5}}, nullptr), ack({{90, 100}, {70, 80}, {0, 60}}, nullptr),
        ack({{1'000'000, 1'000'100}, {5, 5}}, &counts)}},
      {"frames_connection",
       {0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f, 0x40},
       {encoded(wire::NewConnectionIdFrame{1, 0, ConnectionId(eight), {9}}),
        encoded(wire::NewConnectionIdFrame{300, 299, ConnectionId(eight), {9}}),
        encoded(wire::RetireConnectionIdFrame{0}), encoded(wire::RetireConnectionIdFrame{70}),
        encoded(wire::PathChallengeFrame{eight}), encoded(wire::PathResponseFrame{eight}),
        encoded(wire::ConnectionCloseFrame{false, 0x0a, 0x06, text}),
        encoded(wire::ConnectionCloseFrame{true, 4'711, 0, text}),
        encoded(wire::HandshakeDoneFrame{}), encoded(wire::ImmediateAckFrame{}),
        encoded(wire::AckFrequencyFrame{1, 9, 10'000, 3}),
        encoded(wire::AckFrequencyFrame{kMaxVarint, kMaxVarint, 1U << 24, 0})}},
      {"frames_flow",
       {0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17},
       {encoded(wire::MaxDataFrame{1 << 20}), encoded(wire::MaxStreamDataFrame{{0}, 1 << 20}),
        encoded(wire::MaxStreamDataFrame{big, kMaxVarint}),
        encoded(wire::MaxStreamsFrame{true, 200}), encoded(wire::MaxStreamsFrame{false, 70'000}),
        encoded(wire::DataBlockedFrame{100}), encoded(wire::StreamDataBlockedFrame{{4}, 100}),
        encoded(wire::StreamsBlockedFrame{true, 5}), encoded(wire::StreamsBlockedFrame{false, 5})}},
      {"frames_others",
       {0x00, 0x01, 0x07, 0x30, 0x31, 0x21, 0xc0, 0x80},
       {encoded(wire::PaddingFrame{20}), encoded(wire::PingFrame{}),
        encoded(wire::NewTokenFrame{text}), encoded(wire::DatagramFrame{text}),
        encoded(wire::ObservedAddressFrame{1, SocketAddress::ipv4({192, 0, 2, 1}, 443)}),
        encoded(wire::ObservedAddressFrame{70, *SocketAddress::parse("[2001:db8::1]:443")})}},
      {"frames_stream",
       {0x04, 0x05, 0x06, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f},
       {encoded(wire::ResetStreamFrame{{0}, 5, 100}), encoded(wire::StopSendingFrame{{1}, 5}),
        encoded(wire::CryptoFrame{0, text}), encoded(wire::CryptoFrame{3'000, text}),
        encoded(wire::StreamFrame{{0}, 0, text, false}),
        encoded(wire::StreamFrame{{4}, 100'000, text, true}),
        encoded(wire::StreamFrame{{2}, 0, {}, true})}},
  };
}

}  // namespace qpeer::fuzz
