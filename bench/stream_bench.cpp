// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What a packet of stream data costs: written by the sender, taken in by the receiver.
#include <benchmark/benchmark.h>

#include <array>
#include <cstdlib>
#include <variant>
#include <vector>

#include "qpeer/transport/stream/stream_set.hpp"
#include "qpeer/transport/wire/frame_rules.hpp"

namespace qpeer::transport {
namespace {

constexpr std::size_t kPacket = 1400;

/// A client that may send without end to a server.
struct Pair {
  explicit Pair(std::uint64_t window = std::uint64_t{1} << 40)
      : client(Side::client, {}),
        server(Side::server, {.receive_window = window,
                              .stream_receive_window = window,
                              .max_streams_bidi = 1000,
                              .max_streams_uni = 1000}) {
    wire::TransportParameters parameters;
    server.fill_parameters(parameters);
    client.set_peer_parameters(parameters);
    parameters = {};
    client.fill_parameters(parameters);
    server.set_peer_parameters(parameters);
  }
  StreamSet client;
  StreamSet server;
};

/// The yardstick: the bytes of a packet copied in and out of a buffer that is as large as ours.
void BM_CopyTwice(benchmark::State& state) {
  std::vector<u8> buffer(1 << 20);
  std::array<u8, kPacket> packet{};
  std::size_t at = 0;
  for (auto _ : state) {
    copy(packet, MutableBytes(buffer).subspan(at, kPacket));
    copy(Bytes(buffer).subspan(at, kPacket), packet);
    benchmark::DoNotOptimize(packet);
    at = at + 2 * kPacket > buffer.size() ? 0 : at + kPacket;
  }
}
BENCHMARK(BM_CopyTwice);

/// write (in 64 KiB pieces), write_frames, acknowledgement: one packet of one big stream, with
/// range(0) packets in flight.
void BM_SendBulk(benchmark::State& state) {
  Pair pair;
  const StreamId id = pair.client.open(false).value();
  const std::vector<u8> piece(64 << 10);
  std::vector<SentFrame> flying(static_cast<std::size_t>(state.range(0)));
  std::array<u8, kPacket> storage{};
  std::size_t at = 0;
  for (auto _ : state) {
    if (!pair.client.has_frames()) benchmark::DoNotOptimize(pair.client.write(id, piece));
    PacketWriter out{storage, wire::PacketType::one_rtt};
    pair.client.write_frames(out);
    benchmark::DoNotOptimize(storage);
    SentFrame& slot = flying[at++ % flying.size()];
    if (slot.length != 0) pair.client.on_fate(slot, Fate::acked);
    slot = out.sent_frames()[0];
  }
}
BENCHMARK(BM_SendBulk)->Arg(16)->Arg(700)->Arg(5000);

/// Like SendBulk without write and acknowledgement: the writer alone.
void BM_WriteFrames(benchmark::State& state) {
  Pair pair;
  const StreamId id = pair.client.open(false).value();
  const std::vector<u8> piece(1 << 20);
  std::array<u8, kPacket> storage{};
  std::vector<SentFrame> sent;
  for (auto _ : state) {
    if (!pair.client.has_frames()) {
      state.PauseTiming();
      for (const SentFrame& frame : sent) pair.client.on_fate(frame, Fate::acked);
      sent.clear();
      benchmark::DoNotOptimize(pair.client.write(id, piece));
      state.ResumeTiming();
    }
    PacketWriter out{storage, wire::PacketType::one_rtt};
    pair.client.write_frames(out);
    benchmark::DoNotOptimize(storage);
    sent.push_back(out.sent_frames()[0]);
  }
}
BENCHMARK(BM_WriteFrames);

/// STREAM frames in order, read every range(0) packets.
void BM_ReceiveBulk(benchmark::State& state) {
  Pair pair;
  const StreamId id{2};
  const std::array<u8, kPacket> data{};
  std::uint64_t offset = 0;
  std::int64_t count = 0;
  for (auto _ : state) {
    if (!pair.server.on_frame(wire::StreamFrame{id, offset, data, false})) std::abort();
    offset += kPacket;
    if (++count % state.range(0) != 0) continue;
    while (const auto view = pair.server.peek(id)) {
      if (view->data.empty()) break;
      pair.server.consume(id, view->data.size());
    }
    while (pair.server.poll_event()) {
    }
  }
}
BENCHMARK(BM_ReceiveBulk)->Arg(1)->Arg(47)->Arg(1000);

/// A request and a response of 100 bytes each on a stream of their own, both ends, all told.
void BM_Request(benchmark::State& state) {
  Pair pair;
  const std::array<u8, 100> message{};
  std::array<u8, kPacket> storage{};
  const auto carry = [&storage](StreamSet& from, StreamSet& to) {
    PacketWriter out{storage, wire::PacketType::one_rtt};
    from.write_frames(out);
    Reader in{Bytes(storage).first(out.size())};
    while (!in.empty()) {
      auto frame = wire::decode_frame(in, wire::PacketType::one_rtt);
      std::visit(
          [&to](const auto& f) {
            if constexpr (requires { to.on_frame(f); }) {
              if (!to.on_frame(f)) std::abort();
            }
          },
          *frame);
    }
    for (const SentFrame& frame : out.sent_frames()) from.on_fate(frame, Fate::acked);
  };
  const auto drain = [](StreamSet& set) {
    while (set.poll_event()) {
    }
  };
  for (auto _ : state) {
    const StreamId id = pair.client.open(true).value();
    pair.client.write(id, message).value();
    pair.client.finish(id).value();
    carry(pair.client, pair.server);
    pair.server.consume(id, pair.server.peek(id)->data.size());
    pair.server.write(id, message).value();
    pair.server.finish(id).value();
    carry(pair.server, pair.client);
    pair.client.consume(id, pair.client.peek(id)->data.size());
    drain(pair.client);
    drain(pair.server);
  }
}
BENCHMARK(BM_Request);

}  // namespace
}  // namespace qpeer::transport
