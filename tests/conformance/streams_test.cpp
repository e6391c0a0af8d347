// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What a peer may not do with streams and flow control. RFC 9000 §3, §4, §19.4 to §19.14.
#include <vector>

#include "qpeer/tests/conformance/conformance_fixture.hpp"

namespace qpeer::sim {
namespace {

constexpr std::uint64_t kMost = (std::uint64_t{1} << 62) - 1;
constexpr std::uint64_t kMostStreams = std::uint64_t{1} << 60;

/// STREAM with offset and length.
Octets stream(std::uint64_t id, std::uint64_t offset, std::size_t size, bool fin = false) {
  return join({varints({fin ? 0x0fU : 0x0eU, id, offset, size}), zeros(size)});
}
Octets reset(std::uint64_t id, std::uint64_t final_size) {
  return varints({0x04, id, 7, final_size});
}

VICTIMS(Streams);

TEST_P(Streams, OfTheWrongDirectionOrNotOpened) {
  const Ids ids(GetParam());
  const std::vector<FrameCase> cases{
      {"rfc9000-19.4-1", "RESET_STREAM where only the victim sends", kOneRtt,
       reset(ids.victim_uni(), 0), closes(stream_state_error, 0x04)},
      {"rfc9000-19.5-1", "STOP_SENDING for a stream that was not opened", kOneRtt,
       varints({0x05, ids.victim_bidi(), 7}), closes(stream_state_error, 0x05)},
      {"rfc9000-19.5-1", "STOP_SENDING, unidirectional", kOneRtt,
       varints({0x05, ids.victim_uni(), 7}), closes(stream_state_error, 0x05)},
      {"rfc9000-19.5-2", "STOP_SENDING where only the adversary sends", kOneRtt,
       varints({0x05, ids.uni(), 7}), closes(stream_state_error, 0x05)},
      {"rfc9000-19.8-1", "STREAM for a stream that was not opened", kOneRtt,
       stream(ids.victim_bidi(), 0, 1), closes(stream_state_error, 0x0e)},
      {"rfc9000-19.8-1", "STREAM where only the victim sends", kOneRtt,
       stream(ids.victim_uni(), 0, 1), closes(stream_state_error, 0x0e)},
      {"rfc9000-19.10-1", "MAX_STREAM_DATA for a stream that was not opened", kOneRtt,
       varints({0x11, ids.victim_bidi(), 5}), closes(stream_state_error, 0x11)},
      {"rfc9000-19.10-2", "MAX_STREAM_DATA where only the adversary sends", kOneRtt,
       varints({0x11, ids.uni(), 5}), closes(stream_state_error, 0x11)},
      {"rfc9000-19.13-2", "STREAM_DATA_BLOCKED where only the victim sends", kOneRtt,
       varints({0x15, ids.victim_uni(), 5}), closes(stream_state_error, 0x15)},
      {"", "RESET_STREAM for a stream that was not opened", kOneRtt, reset(ids.victim_bidi(), 0),
       closes(stream_state_error, 0x04)},
      {"", "STREAM_DATA_BLOCKED for a stream that was not opened", kOneRtt,
       varints({0x15, ids.victim_bidi(), 5}), closes(stream_state_error, 0x15)},
  };
  run_cases(GetParam(), cases);
}

TEST_P(Streams, BeyondTheLimitOfStreams) {
  const Ids ids(GetParam());
  const std::vector<FrameCase> cases{
      {"rfc9000-4.6-3 rfc9000-19.11-4", "STREAM", kOneRtt, stream(ids.bidi(4), 0, 1),
       closes(stream_limit_error, 0x0e)},
      {"rfc9000-4.6-3 rfc9000-19.11-4", "STREAM, unidirectional", kOneRtt, stream(ids.uni(4), 0, 1),
       closes(stream_limit_error, 0x0e)},
      {"rfc9000-4.6-3", "STREAM of the largest ID", kOneRtt,
       stream((kMost & ~3ULL) | ids.uni(), 0, 1), closes(stream_limit_error, 0x0e)},
      {"rfc9000-4.6-3", "RESET_STREAM", kOneRtt, reset(ids.bidi(4), 0),
       closes(stream_limit_error, 0x04)},
      {"rfc9000-4.6-3", "STOP_SENDING", kOneRtt, varints({0x05, ids.bidi(4), 7}),
       closes(stream_limit_error, 0x05)},
      {"rfc9000-4.6-3", "MAX_STREAM_DATA", kOneRtt, varints({0x11, ids.bidi(4), 7}),
       closes(stream_limit_error, 0x11)},
      {"rfc9000-4.6-3", "STREAM_DATA_BLOCKED", kOneRtt, varints({0x15, ids.bidi(4), 7}),
       closes(stream_limit_error, 0x15)},
      {"rfc9000-4.6-1 rfc9000-19.11-1", "MAX_STREAMS beyond 2^60", kOneRtt,
       varints({0x12, kMostStreams + 1}), closes(frame_encoding_error, 0x12)},
      {"rfc9000-4.6-1 rfc9000-19.11-1", "MAX_STREAMS beyond 2^60, unidirectional", kOneRtt,
       varints({0x13, kMostStreams + 1}), closes(frame_encoding_error, 0x13)},
      {"", "MAX_STREAMS of 2^60", kOneRtt, varints({0x12, kMostStreams, 0x13, kMostStreams}),
       goes_on()},
      {"rfc9000-4.6-4 rfc9000-19.11-2", "MAX_STREAMS that raises nothing", kOneRtt,
       varints({0x12, 100, 0x12, 3, 0x13, 0}), goes_on()},
      {"rfc9000-19.14-2", "STREAMS_BLOCKED beyond 2^60", kOneRtt, varints({0x16, kMostStreams + 1}),
       closes(frame_encoding_error, 0x16)},
      {"rfc9000-19.14-2", "STREAMS_BLOCKED beyond 2^60, unidirectional", kOneRtt,
       varints({0x17, kMostStreams + 1}), closes(frame_encoding_error, 0x17)},
      {"", "the last stream of each kind", kOneRtt,
       join({stream(ids.bidi(3), 0, 1), stream(ids.uni(3), 0, 1)}), goes_on()},
  };
  run_cases(GetParam(), cases);
}

TEST_P(Streams, BeyondFlowControl) {
  const Ids ids(GetParam());
  const std::vector<FrameCase> cases{
      {"rfc9000-4.1-2 rfc9000-19.10-4", "one byte too many on a stream", kOneRtt,
       stream(ids.bidi(), 500, 501), closes(flow_control_error, 0x0e)},
      {"rfc9000-4.1-2 rfc9000-19.10-4", "a byte far ahead", kOneRtt, stream(ids.uni(), 1'000, 1),
       closes(flow_control_error, 0x0e)},
      {"", "a stream up to its limit", kOneRtt, stream(ids.bidi(), 999, 1), goes_on()},
      {"rfc9000-4.1-2 rfc9000-19.9-2", "one byte too many on all streams together", kOneRtt,
       join({stream(ids.bidi(0), 999, 1), stream(ids.bidi(1), 999, 1), stream(ids.bidi(2), 0, 1)}),
       closes(flow_control_error, 0x0e)},
      {"", "all streams up to their limit", kOneRtt,
       join({stream(ids.bidi(0), 999, 1), stream(ids.uni(0), 999, 1), stream(ids.bidi(2), 0, 0)}),
       goes_on()},
      {"rfc9000-19.9-1 rfc9000-4.5-1", "streams that are reset count with their final size",
       kOneRtt,
       join({reset(ids.bidi(0), 1'000), reset(ids.bidi(1), 1'000), stream(ids.bidi(2), 0, 1)}),
       closes(flow_control_error, 0x0e)},
      {"rfc9000-19.9-1 rfc9000-4.5-1", "a reset that counts too much", kOneRtt,
       join({stream(ids.uni(0), 999, 1), stream(ids.uni(1), 999, 1), reset(ids.uni(2), 1)}),
       closes(flow_control_error, 0x04)},
      {"rfc9000-4.1-2", "RESET_STREAM beyond the stream's limit", kOneRtt, reset(ids.bidi(), 1'001),
       closes(flow_control_error, 0x04)},
      {"rfc9000-19.8-2", "STREAM that ends beyond 2^62-1", kOneRtt, stream(ids.bidi(), kMost, 1),
       closes(frame_encoding_error, 0x0e)},
      {"rfc9000-4.1-3", "MAX_DATA and MAX_STREAM_DATA that raise nothing", kOneRtt,
       join({varints({0x10, 0}), varints({0x11, ids.bidi(), 0})}), goes_on()},
      {"", "DATA_BLOCKED and STREAM_DATA_BLOCKED that are not true", kOneRtt,
       join({varints({0x14, kMost}), varints({0x15, ids.bidi(), kMost})}), goes_on()},
  };
  run_cases(GetParam(), cases);
}

// RFC 9000 §4.5
TEST_P(Streams, WithAnotherFinalSize) {
  const Ids ids(GetParam());
  const std::uint64_t id = ids.bidi();
  const std::vector<FrameCase> cases{
      {"rfc9000-4.5-2 rfc9000-4.5-4", "data beyond the end", kOneRtt,
       join({stream(id, 0, 5, true), stream(id, 5, 1)}), closes(final_size_error, 0x0e)},
      {"rfc9000-4.5-3", "an earlier end", kOneRtt,
       join({stream(id, 0, 5, true), stream(id, 0, 4, true)}), closes(final_size_error, 0x0f)},
      {"rfc9000-4.5-3", "an end before what came", kOneRtt,
       join({stream(id, 4, 2), stream(id, 0, 5, true)}), closes(final_size_error, 0x0f)},
      {"rfc9000-4.5-3", "a reset before what came", kOneRtt, join({stream(id, 4, 2), reset(id, 5)}),
       closes(final_size_error, 0x04)},
      {"rfc9000-4.5-3", "a reset with another end", kOneRtt,
       join({stream(id, 0, 5, true), reset(id, 6)}), closes(final_size_error, 0x04)},
      {"rfc9000-4.5-3", "two resets that differ", kOneRtt, join({reset(id, 6), reset(id, 5)}),
       closes(final_size_error, 0x04)},
      {"rfc9000-4.5-4", "data beyond a reset", kOneRtt, join({reset(id, 6), stream(id, 6, 1)}),
       closes(final_size_error, 0x0e)},
      {"", "the same again", kOneRtt,
       join({stream(id, 0, 5, true), stream(id, 0, 5, true), reset(id, 5), reset(id, 5)}),
       goes_on()},
  };
  run_cases(GetParam(), cases);
}

}  // namespace
}  // namespace qpeer::sim
