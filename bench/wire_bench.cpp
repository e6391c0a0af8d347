// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The codecs of the wire layer, by the packet's most common contents.
#include <benchmark/benchmark.h>

#include <array>
#include <vector>

#include "qpeer/transport/wire/frame_rules.hpp"
#include "qpeer/transport/wire/packet_decoder.hpp"
#include "qpeer/transport/wire/packet_number.hpp"

namespace {

using namespace qpeer;
using namespace qpeer::wire;

constexpr std::array<u8, 8> kCid{1, 2, 3, 4, 5, 6, 7, 8};

void decode_varints(benchmark::State& state) {
  const auto size = static_cast<std::size_t>(state.range(0));
  std::array<u8, 1200> storage{};
  Writer out{storage};
  while (out.remaining() >= size) out.varint_of_size(37, size);
  for (auto _ : state) {
    std::uint64_t sum = 0;
    for (Reader in{out.written()}; !in.empty();) sum += in.varint();
    benchmark::DoNotOptimize(sum);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(out.size() / size));
}
BENCHMARK(decode_varints)->Name("wire/varint/decode")->Arg(1)->Arg(2)->Arg(4)->Arg(8);

void encode_varints(benchmark::State& state) {
  const std::uint64_t value = (std::uint64_t{1} << state.range(0)) - 1;
  std::array<u8, 1200> storage{};
  std::int64_t count = 0;
  for (auto _ : state) {
    Writer out{storage};
    for (; out.remaining() >= 8; ++count) out.varint(value);
    benchmark::DoNotOptimize(storage);
  }
  state.SetItemsProcessed(count);
}
BENCHMARK(encode_varints)->Name("wire/varint/encode")->Arg(6)->Arg(14)->Arg(30)->Arg(62);

void decode_short_header(benchmark::State& state) {
  std::array<u8, 1200> packet{};
  Writer out{packet};
  encode_short_header(out, kCid, false, false, 2);
  const HeaderMask mask{};
  for (auto _ : state) {
    const auto header = decode_header(packet, kCid.size());
    const auto clear = unprotect_header(packet, header->packet_number_offset, mask);
    benchmark::DoNotOptimize(
        decode_packet_number(1000, clear.truncated, clear.packet_number_length));
  }
}
BENCHMARK(decode_short_header)->Name("wire/header/short/decode");

void decode_long_header(benchmark::State& state) {
  std::array<u8, 1200> packet{};
  Writer out{packet};
  const auto at = encode_long_header(out, {PacketType::handshake, Version::v1, kCid, kCid, {}}, 2);
  patch_length(packet, at, packet.size() - out.size());
  for (auto _ : state) benchmark::DoNotOptimize(decode_header(packet, kCid.size()));
}
BENCHMARK(decode_long_header)->Name("wire/header/long/decode");

void encode_short(benchmark::State& state) {
  std::array<u8, 64> storage{};
  for (PacketNumber number = 0; auto _ : state) {
    Writer out{storage};
    ++number;
    const std::size_t length = encode_packet_number_length(number, number / 2);
    encode_short_header(out, kCid, false, true, length);
    write_packet_number(out, number, length);
    benchmark::DoNotOptimize(storage);
  }
}
BENCHMARK(encode_short)->Name("wire/header/short/encode");

void decode_payload(benchmark::State& state, Bytes payload) {
  for (auto _ : state) {
    for (Reader in{payload}; !in.empty();) {
      benchmark::DoNotOptimize(decode_frame(in, PacketType::one_rtt));
    }
  }
}

void decode_stream(benchmark::State& state) {
  std::array<u8, 1200> storage{};
  Writer out{storage};
  StreamFrame::encode_header(out, {4}, 1'000'000, std::nullopt, false);
  decode_payload(state, storage);
}
BENCHMARK(decode_stream)->Name("wire/frame/stream/decode");

void encode_stream_header(benchmark::State& state) {
  std::array<u8, 64> storage{};
  for (std::uint64_t offset = 1; auto _ : state) {
    Writer out{storage};
    StreamFrame::encode_header(out, {4}, offset += 1200, std::size_t{1180}, false);
    benchmark::DoNotOptimize(storage);
  }
}
BENCHMARK(encode_stream_header)->Name("wire/frame/stream/encode_header");

std::vector<PacketNumberRange> ack_ranges(std::int64_t count) {
  std::vector<PacketNumberRange> out;
  for (auto i = static_cast<PacketNumber>(count); i-- > 0;) {
    out.push_back({10'000 + 10 * i, 10'000 + 10 * i + 6});
  }
  return out;
}

void decode_ack(benchmark::State& state) {
  std::array<u8, 1200> storage{};
  Writer out{storage};
  encode_ack(out, 100, ack_ranges(state.range(0)), nullptr);
  decode_payload(state, out.written());
}
BENCHMARK(decode_ack)->Name("wire/frame/ack/decode")->Arg(1)->Arg(4)->Arg(32);

void encode_ack_ranges(benchmark::State& state) {
  const auto ranges = ack_ranges(state.range(0));
  std::array<u8, 1200> storage{};
  for (auto _ : state) {
    Writer out{storage};
    benchmark::DoNotOptimize(encode_ack(out, 100, ranges, nullptr));
    benchmark::DoNotOptimize(storage);
  }
}
BENCHMARK(encode_ack_ranges)->Name("wire/frame/ack/encode")->Arg(1)->Arg(4)->Arg(32);

void decode_padding(benchmark::State& state) {
  const std::array<u8, 1000> storage{};
  decode_payload(state, storage);
}
BENCHMARK(decode_padding)->Name("wire/frame/padding/decode_1000");

void decode_mixed(benchmark::State& state) {
  std::array<u8, 1200> storage{};
  Writer out{storage};
  encode_ack(out, 100, ack_ranges(2), nullptr);
  MaxDataFrame{.maximum_data = 1'000'000}.encode(out);
  MaxStreamDataFrame{.stream_id = {4}, .maximum_stream_data = 70'000}.encode(out);
  StreamFrame{.stream_id = {4}, .offset = 5000, .data = kCid}.encode(out);
  StreamFrame{.stream_id = {8}, .offset = 5000, .data = kCid, .fin = true}.encode(out);
  decode_payload(state, out.written());
}
BENCHMARK(decode_mixed)->Name("wire/frame/mixed/decode_5");

}  // namespace
