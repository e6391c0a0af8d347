// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Two stream sets; the test itself carries the packets between them.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <utility>
#include <variant>
#include <vector>

#include "qpeer/transport/stream/stream_set.hpp"
#include "qpeer/transport/wire/frame_rules.hpp"

namespace qpeer::transport::test {

/// Numbers from a seed; the same everywhere.
class Seeded {
 public:
  explicit Seeded(std::uint64_t seed) : state_(seed * 2 + 1) {}
  std::uint64_t next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_ * 0x2545f4914f6cdd1dULL >> 16;
  }
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }
  bool chance(unsigned percent) { return below(100) < percent; }

 private:
  std::uint64_t state_;
};

/// A packet as it travels, with what its sender noted.
struct Packet {
  std::vector<u8> payload;
  std::vector<SentFrame> sent;
};

inline Packet write_packet(StreamSet& from, std::size_t size = 1200) {
  std::vector<u8> storage(size);
  PacketWriter out{storage, wire::PacketType::one_rtt};
  from.write_frames(out);
  storage.resize(out.size());
  return {std::move(storage), {out.sent_frames().begin(), out.sent_frames().end()}};
}

inline std::vector<wire::Frame> frames_of(const Packet& packet) {
  std::vector<wire::Frame> frames;
  Reader in{packet.payload};
  while (!in.empty()) {
    auto frame = wire::decode_frame(in, wire::PacketType::one_rtt);
    if (!frame) {
      ADD_FAILURE() << "what was written does not decode: " << frame.error().reason;
      break;
    }
    frames.push_back(*frame);
  }
  return frames;
}

inline Result deliver(const wire::Frame& frame, StreamSet& to) {
  return std::visit(
      [&to](const auto& f) -> Result {
        if constexpr (requires { to.on_frame(f); }) {
          return to.on_frame(f);
        } else {
          ADD_FAILURE() << "a frame that no stream set writes";
          return {};
        }
      },
      frame);
}

inline Result deliver(const Packet& packet, StreamSet& to) {
  for (const wire::Frame& frame : frames_of(packet)) {
    if (auto result = deliver(frame, to); !result) return result;
  }
  return {};
}

inline void tell(const Packet& packet, StreamSet& sender, Fate fate) {
  for (const SentFrame& frame : packet.sent) sender.on_fate(frame, fate);
}

/// The first frame of a kind in a packet, or null.
template <class F>
const F* find(const std::vector<wire::Frame>& frames) {
  for (const wire::Frame& frame : frames) {
    if (const F* found = std::get_if<F>(&frame)) return found;
  }
  return nullptr;
}

/// A client and a server that have each other's transport parameters.
struct Pair {
  explicit Pair(const StreamConfig& client_config = {}, const StreamConfig& server_config = {})
      : client(Side::client, client_config), server(Side::server, server_config) {
    wire::TransportParameters parameters;
    client.fill_parameters(parameters);
    server.set_peer_parameters(parameters);
    parameters = {};
    server.fill_parameters(parameters);
    client.set_peer_parameters(parameters);
  }

  /// Carries everything over and acknowledges it, until both have nothing to send.
  void settle() {
    for (int turn = 0; turn < 100'000 && (client.has_frames() || server.has_frames()); ++turn) {
      carry(client, server);
      carry(server, client);
    }
    EXPECT_FALSE(client.has_frames() || server.has_frames()) << "never gets quiet";
  }
  static void carry(StreamSet& from, StreamSet& to) {
    if (!from.has_frames()) return;
    const Packet packet = write_packet(from);
    ASSERT_FALSE(packet.payload.empty()) << "said to have frames, wrote none";
    const Result result = deliver(packet, to);
    ASSERT_TRUE(result.has_value()) << result.error().reason;
    tell(packet, from, Fate::acked);
  }

  StreamSet client;
  StreamSet server;
};

/// All events that are waiting.
inline std::vector<StreamEvent> events_of(StreamSet& set) {
  std::vector<StreamEvent> events;
  while (auto event = set.poll_event()) events.push_back(*event);
  return events;
}

inline std::size_t count(const std::vector<StreamEvent>& events, StreamEvent::Kind kind) {
  std::size_t found = 0;
  for (const StreamEvent& event : events) found += event.kind == kind ? 1 : 0;
  return found;
}

/// The byte that stream `id` carries at `offset`, in all tests.
inline u8 byte_at(StreamId id, std::uint64_t offset) {
  return static_cast<u8>((offset * 31 + offset / 251 + id.value * 7) & 0xff);
}

inline std::vector<u8> pattern(StreamId id, std::uint64_t offset, std::size_t size) {
  std::vector<u8> bytes(size);
  u8* const to = bytes.data();  // Megabytes of it are wanted, also where nothing is optimised.
  for (std::size_t i = 0; i < size; ++i) to[i] = byte_at(id, offset + i);
  return bytes;
}

inline std::vector<u8> kinds_of(const Packet& packet) {
  std::vector<u8> kinds;
  for (const SentFrame& frame : packet.sent) kinds.push_back(frame.type);
  return kinds;
}
constexpr u8 code(wire::FrameType type) { return static_cast<u8>(type); }

inline std::uint64_t write_all(StreamSet& set, StreamId id, std::size_t size) {
  const auto written = set.write(id, pattern(id, 0, size));
  return written ? *written : 0;
}

}  // namespace qpeer::transport::test
