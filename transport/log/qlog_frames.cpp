// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/log/qlog_frames.hpp"

#include <algorithm>
#include <chrono>
#include <string_view>
#include <variant>

#include "qpeer/transport/log/qlog_names.hpp"
#include "qpeer/transport/wire/frame.hpp"
#include "qpeer/transport/wire/frame_rules.hpp"

namespace qpeer::transport::log {
namespace {

std::string_view stream_type(bool bidirectional) {
  return bidirectional ? "bidirectional" : "unidirectional";
}

/// One frame: a member function for each type writes what "frame_type" and "raw" leave out.
class FrameWriter {
 public:
  FrameWriter(JsonWriter& out, std::size_t size, std::uint64_t ack_delay_exponent)
      : out_(out), size_(size), ack_delay_exponent_(ack_delay_exponent) {}

  void operator()(const wire::PaddingFrame&) { begin_and_end("padding"); }
  void operator()(const wire::PingFrame&) { begin_and_end("ping"); }
  void operator()(const wire::HandshakeDoneFrame&) { begin_and_end("handshake_done"); }
  void operator()(const wire::AckFrame& frame);
  void operator()(const wire::ConnectionCloseFrame& frame);
  void operator()(const wire::ResetStreamFrame& frame) {
    begin("reset_stream");
    out_.number("stream_id", frame.stream_id.value);
    application_error(frame.application_error_code);
    out_.number("final_size", frame.final_size);
    end();
  }
  void operator()(const wire::StopSendingFrame& frame) {
    begin("stop_sending");
    out_.number("stream_id", frame.stream_id.value);
    application_error(frame.application_error_code);
    end();
  }
  void operator()(const wire::CryptoFrame& frame) {
    begin("crypto");
    out_.number("offset", frame.offset);
    end(frame.data.size());
  }
  void operator()(const wire::NewTokenFrame& frame) {
    begin("new_token");
    out_.key("token").begin_object();
    out_.text("type", "resumption");
    out_.key("raw").begin_object();
    out_.number("length", frame.token.size());
    out_.end_object();
    out_.end_object();
    end();
  }
  void operator()(const wire::StreamFrame& frame) {
    begin("stream");
    out_.number("stream_id", frame.stream_id.value);
    out_.number("offset", frame.offset);
    if (frame.fin) out_.flag("fin", true);
    end(frame.data.size());
  }
  void operator()(const wire::MaxDataFrame& frame) {
    begin("max_data");
    out_.number("maximum", frame.maximum_data);
    end();
  }
  void operator()(const wire::MaxStreamDataFrame& frame) {
    begin("max_stream_data");
    out_.number("stream_id", frame.stream_id.value);
    out_.number("maximum", frame.maximum_stream_data);
    end();
  }
  void operator()(const wire::MaxStreamsFrame& frame) {
    begin("max_streams");
    out_.text("stream_type", stream_type(frame.bidirectional));
    out_.number("maximum", frame.maximum_streams);
    end();
  }
  void operator()(const wire::DataBlockedFrame& frame) {
    begin("data_blocked");
    out_.number("limit", frame.maximum_data);
    end();
  }
  void operator()(const wire::StreamDataBlockedFrame& frame) {
    begin("stream_data_blocked");
    out_.number("stream_id", frame.stream_id.value);
    out_.number("limit", frame.maximum_stream_data);
    end();
  }
  void operator()(const wire::StreamsBlockedFrame& frame) {
    begin("streams_blocked");
    out_.text("stream_type", stream_type(frame.bidirectional));
    out_.number("limit", frame.maximum_streams);
    end();
  }
  void operator()(const wire::NewConnectionIdFrame& frame) {
    begin("new_connection_id");
    out_.number("sequence_number", frame.sequence_number);
    out_.number("retire_prior_to", frame.retire_prior_to);
    out_.number("connection_id_length", frame.connection_id.size());
    out_.hex("connection_id", frame.connection_id.bytes());
    end();
  }
  void operator()(const wire::RetireConnectionIdFrame& frame) {
    begin("retire_connection_id");
    out_.number("sequence_number", frame.sequence_number);
    end();
  }
  void operator()(const wire::PathChallengeFrame& frame) {
    begin("path_challenge");
    out_.hex("data", frame.data);
    end();
  }
  void operator()(const wire::PathResponseFrame& frame) {
    begin("path_response");
    out_.hex("data", frame.data);
    end();
  }
  void operator()(const wire::DatagramFrame& frame) {
    begin("datagram");
    end(frame.data.size());
  }
  void operator()(const wire::ObservedAddressFrame& frame) {
    unknown(static_cast<std::uint64_t>(frame.type()));
  }
  void operator()(const wire::AckFrequencyFrame& frame) {
    unknown(static_cast<std::uint64_t>(frame.kType));
  }
  void operator()(const wire::ImmediateAckFrame& frame) {
    unknown(static_cast<std::uint64_t>(frame.kType));
  }

  void unknown(std::uint64_t type) {
    begin("unknown");
    out_.number("frame_type_bytes", type);
    end();
  }

 private:
  void begin(std::string_view type) {
    out_.begin_object();
    out_.text("frame_type", type);
  }
  /// Frames with a payload tell how long that is.
  void end(std::size_t payload_length) {
    out_.key("raw").begin_object();
    write_raw(out_, size_, payload_length);
    out_.end_object();
    out_.end_object();
  }
  void end() {
    out_.key("raw").begin_object();
    out_.number("length", size_);
    out_.end_object();
    out_.end_object();
  }
  void begin_and_end(std::string_view type) {
    begin(type);
    end();
  }
  void application_error(std::uint64_t code) {
    out_.text("error", "unknown");
    out_.number("error_code", code);
  }

  JsonWriter& out_;
  std::size_t size_;
  std::uint64_t ack_delay_exponent_;
};

void FrameWriter::operator()(const wire::AckFrame& frame) {
  begin("ack");
  const std::uint64_t delay = std::min<std::uint64_t>(frame.ack_delay, 1ULL << 30);
  out_.milliseconds("ack_delay", std::chrono::microseconds(delay << ack_delay_exponent_));
  out_.key("acked_ranges").begin_array();
  frame.for_each_range([this](PacketNumber smallest, PacketNumber largest) {
    out_.begin_array();
    out_.number(smallest);
    if (largest != smallest) out_.number(largest);
    out_.end_array();
  });
  out_.end_array();
  if (frame.ecn) {
    out_.number("ect1", frame.ecn->ect1);
    out_.number("ect0", frame.ecn->ect0);
    out_.number("ce", frame.ecn->ce);
  }
  end();
}

void FrameWriter::operator()(const wire::ConnectionCloseFrame& frame) {
  begin("connection_close");
  out_.text("error_space", frame.application ? "application" : "transport");
  if (frame.application) {
    application_error(frame.error_code);
  } else {
    const std::string name = name_of_error(frame.error_code);
    out_.text("error", name);
    if (name == "unknown") out_.number("error_code", frame.error_code);
    if (frame.frame_type != 0) out_.number("trigger_frame_type", frame.frame_type);
  }
  out_.text("reason", as_text(frame.reason_phrase));
  end();
}

}  // namespace

void write_raw(JsonWriter& out, std::size_t length, std::size_t payload_length) {
  out.number("length", length);
  out.number("payload_length", payload_length);
}

void write_frames(JsonWriter& out, Bytes payload, PacketType packet,
                  std::uint64_t ack_delay_exponent) {
  out.begin_array();
  Reader in(payload);
  while (!in.empty()) {
    const Bytes rest = payload.subspan(in.position());
    const auto frame = wire::decode_frame(in, packet);
    if (!frame) {
      FrameWriter(out, rest.size(), ack_delay_exponent).unknown(Reader(rest).varint());
      break;
    }
    const std::size_t size = rest.size() - in.remaining();
    std::visit(FrameWriter(out, size, ack_delay_exponent), *frame);
  }
  out.end_array();
}

}  // namespace qpeer::transport::log
