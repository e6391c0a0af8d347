// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/log/qlog.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <set>
#include <string>
#include <vector>

#include "qpeer/tests/unit/base/folder.hpp"
#include "qpeer/tests/unit/log/qlog_schema.hpp"
#include "qpeer/transport/wire/frame.hpp"

namespace qpeer::transport::log {
namespace {

using test::JsonValue;
using test::QlogSchema;

constexpr std::array<u8, 8> kId{0xab, 0xcd, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06};
constexpr const char* kFile = "abcd010203040506_server.sqlog";

Source source() {
  return {.original_destination_connection_id = ConnectionId(kId),
          .side = Side::server,
          .created_at = Instant(5s),
          .clock_offset = 1'700'000'000s};
}

Path path() {
  return {.local = SocketAddress::loopback4(4433),
          .remote = *SocketAddress::parse("[2001:db8::1]:50000")};
}

/// All frames that there are, as a packet has them.
std::vector<u8> all_frames() {
  std::vector<u8> out(4'000);
  Writer to(out);
  wire::PingFrame{}.encode(to);
  const std::array ranges{wire::PacketNumberRange{.smallest = 5, .largest = 9},
                          wire::PacketNumberRange{.smallest = 2, .largest = 2}};
  const wire::EcnCounts counts{.ect0 = 1, .ect1 = 2, .ce = 3};
  EXPECT_TRUE(wire::encode_ack(to, 1'000, ranges, &counts));
  wire::ResetStreamFrame{.stream_id = {4}, .application_error_code = 7, .final_size = 8}.encode(to);
  wire::StopSendingFrame{.stream_id = {4}, .application_error_code = kMaxVarint}.encode(to);
  wire::CryptoFrame{.offset = 3, .data = as_bytes("hello")}.encode(to);
  wire::NewTokenFrame{.token = as_bytes("SECRET-TOKEN")}.encode(to);
  wire::StreamFrame{.stream_id = {8}, .offset = 9, .data = as_bytes("SECRET-DATA"), .fin = true}
      .encode(to);
  wire::MaxDataFrame{.maximum_data = 1}.encode(to);
  wire::MaxStreamDataFrame{.stream_id = {8}, .maximum_stream_data = 2}.encode(to);
  wire::MaxStreamsFrame{.bidirectional = true, .maximum_streams = 3}.encode(to);
  wire::MaxStreamsFrame{.bidirectional = false, .maximum_streams = 3}.encode(to);
  wire::DataBlockedFrame{.maximum_data = 4}.encode(to);
  wire::StreamDataBlockedFrame{.stream_id = {8}, .maximum_stream_data = 5}.encode(to);
  wire::StreamsBlockedFrame{.bidirectional = true, .maximum_streams = 6}.encode(to);
  wire::NewConnectionIdFrame{.sequence_number = 2,
                             .retire_prior_to = 1,
                             .connection_id = ConnectionId(kId),
                             .stateless_reset_token = {0xde, 0xad, 0xbe, 0xef}}
      .encode(to);
  wire::RetireConnectionIdFrame{.sequence_number = 1}.encode(to);
  wire::PathChallengeFrame{.data = {1, 2, 3, 4, 5, 6, 7, 8}}.encode(to);
  wire::PathResponseFrame{.data = {1, 2, 3, 4, 5, 6, 7, 8}}.encode(to);
  wire::HandshakeDoneFrame{}.encode(to);
  wire::ObservedAddressFrame{.sequence_number = 1, .address = path().remote}.encode(to);
  wire::ConnectionCloseFrame{
      .application = true, .error_code = 5, .reason_phrase = as_bytes("b\xff\"")}
      .encode(to);
  wire::ConnectionCloseFrame{.error_code = 0x128, .frame_type = 6, .reason_phrase = {}}.encode(to);
  wire::ConnectionCloseFrame{.error_code = 0x11, .reason_phrase = {}}.encode(to);
  wire::ConnectionCloseFrame{.error_code = 0x0a, .reason_phrase = {}}.encode(to);
  wire::PaddingFrame{.length = 30}.encode(to);
  EXPECT_TRUE(to.ok());
  out.resize(to.size());
  return out;
}

class Qlog : public InFolder {
 protected:
  std::shared_ptr<Observer> open() {
    return qlog_files({.directory = folder, .on_error = note()})(source());
  }
  std::function<void(const std::string&)> note() {
    return [this](const std::string& text) { errors.push_back(text); };
  }
  /// The file after these events.
  std::string write(const std::vector<Event>& events) {
    auto observer = open();
    EXPECT_NE(observer, nullptr);
    Instant now = source().created_at;
    for (const Event& event : events) observer->on_event(source(), now += 1500us, event);
    observer.reset();
    return contents(kFile);
  }

  QlogSchema schema;
  std::vector<std::string> errors;
};

/// One of each kind, with every member.
class EachEvent {
 public:
  EachEvent() {
    parameters.original_destination_connection_id = ConnectionId(kId);
    parameters.stateless_reset_token = StatelessResetToken{0xde, 0xad, 0xbe, 0xef};
    parameters.max_idle_timeout_ms = 30'000;
  }
  [[nodiscard]] std::vector<Event> all() const {
    const PacketHeader initial{.packet_type = PacketType::initial,
                               .packet_number = 1,
                               .version = Version::v2,
                               .source = ConnectionId(kId),
                               .destination = ConnectionId(),
                               .token_length = 40};
    const PacketHeader one_rtt{.packet_type = PacketType::one_rtt,
                               .packet_number = kMaxPacketNumber,
                               .key_phase_bit = true};
    return {
        ConnectionStarted{.path = path(), .local_cid = ConnectionId(kId), .remote_cid = {}},
        ConnectionClosed{.initiator = Initiator::remote,
                         .connection_error = 0x1ff,
                         .reason = "bad \xc3\x28 \"\n",
                         .trigger = ConnectionClosed::Trigger::error},
        ConnectionClosed{.application_error = kMaxVarint},
        ConnectionIdUpdated{
            .initiator = Initiator::remote, .old_id = ConnectionId(), .new_id = ConnectionId(kId)},
        ConnectionStateUpdated{.new_state = ConnectionState::attempted},
        ConnectionStateUpdated{.new_state = ConnectionState::handshake_confirmed},
        TupleAssigned{.tuple_id = 1, .path = path()},
        MtuUpdated{.old_mtu = 1200, .new_mtu = 1452},
        VersionInformation{.server_versions = versions,
                           .client_versions = versions,
                           .chosen_version = Version::v2},
        AlpnInformation{.chosen_alpn = "h3\x01"},
        ParametersSet{.parameters = &parameters,
                      .tls_cipher = crypto::CipherSuite::aes_128_gcm_sha256},
        PacketSent{.header = one_rtt,
                   .frames = frames,
                   .length = 1200,
                   .is_mtu_probe_packet = true,
                   .is_pto_probe = true},
        PacketReceived{.header = initial, .frames = frames, .length = 1200, .was_buffered = true},
        PacketDropped{.header = {}, .reason = DropReason::undecryptable},
        PacketBuffered{.header = initial, .length = 99},
        UdpDatagramsSent{.size = 3'000, .segment_size = 1'200, .ecn = Ecn::ect0},
        UdpDatagramsReceived{.size = 1'200, .ecn = Ecn::ce},
        StreamStateUpdated{.stream_id = {3}, .sending = false, .new_state = StreamState::receive},
        MigrationStateUpdated{.new_state = MigrationState::probing_started, .path = path()},
        KeyUpdated{.key_type = {.level = EncryptionLevel::zero_rtt, .sender = Side::client}},
        KeyDiscarded{.key_type = {.level = EncryptionLevel::one_rtt, .sender = Side::server},
                     .key_phase = 3,
                     .trigger = KeyTrigger::remote_update},
        RecoveryParametersSet{.reordering_threshold = 3,
                              .time_threshold = 1.125F,
                              .timer_granularity = 1ms,
                              .initial_rtt = 333ms,
                              .max_datagram_size = 1200,
                              .initial_congestion_window = 12'000,
                              .persistent_congestion_threshold = 3},
        RecoveryMetricsUpdated{.min_rtt = 10ms,
                               .smoothed_rtt = 11ms,
                               .latest_rtt = 12ms,
                               .rtt_variance = 1ms,
                               .pto_count = 2,
                               .congestion_window = 12'000,
                               .bytes_in_flight = 2'400,
                               .ssthresh = 9'000,
                               .pacing_rate = 100'000'000},
        CongestionStateUpdated{.old_state = "slow_start", .new_state = "recovery"},
        PacketLost{.space = PacketNumberSpace::application,
                   .packet_number = 9,
                   .is_mtu_probe_packet = true,
                   .trigger = PacketLost::Trigger::time_threshold},
        MarkedForRetransmit{.stream_id = StreamId{4}, .offset = 5, .length = 6, .fin = true},
        MarkedForRetransmit{.offset = 5, .length = 6},
        EcnStateUpdated{.old_state = EcnState::testing, .new_state = EcnState::capable},
        TimerUpdated{.timer_type = TimerUpdated::Type::pto, .delta = 25ms},
    };
  }

 private:
  wire::TransportParameters parameters;
  std::vector<u8> frames = all_frames();
  std::vector<Version> versions{Version::v1, Version::v2};
};

TEST_F(Qlog, EachEventIsAsTheDraftHasIt) {
  const EachEvent each;
  const std::vector<Event> events = each.all();
  const std::string text = write(events);
  EXPECT_EQ(schema.check_file(text), "");
  const auto records = test::parse_json_sequence(text);
  ASSERT_TRUE(records);
  ASSERT_EQ(records->size(), events.size() + 1);
  std::set<std::string> names;
  std::set<std::size_t> kinds;
  for (std::size_t i = 0; i < events.size(); ++i) {
    names.insert((*records)[i + 1].at("name"));
    kinds.insert(events[i].index());
  }
  EXPECT_EQ(kinds.size(), std::variant_size_v<Event>) << "an event is not tested";
  EXPECT_EQ(names, schema.events());
  EXPECT_EQ(records->at(1).at("time"), "1.5");
  EXPECT_TRUE(errors.empty());
}

TEST_F(Qlog, TheCheckFindsWhatIsWrong) {
  const auto wrong = [this](std::string_view event) {
    const auto value = test::parse_json(event);
    return value ? schema.check_event(*value) : "no JSON";
  };
  EXPECT_EQ(wrong(R"({"time":1,"name":"quic:mtu_updated","data":{"new":1200}})"), "");
  EXPECT_NE(wrong(R"({"time":1,"name":"quic:mtu_updated","data":{}})"), "");
  EXPECT_NE(wrong(R"({"time":1,"name":"quic:mtu_updated","data":{"new":4294967296}})"), "");
  EXPECT_NE(wrong(R"({"time":1,"name":"quic:mtu_updated","data":{"new":1,"size":2}})"), "");
  EXPECT_NE(wrong(R"({"time":1,"name":"quic:mtu_update","data":{"new":1}})"), "");
  EXPECT_NE(wrong(R"({"name":"quic:mtu_updated","data":{"new":1}})"), "");
  EXPECT_NE(wrong(R"({"time":1,"name":"quic:ecn_state_updated","data":{"new":"good"}})"), "");
  EXPECT_NE(wrong(R"({"time":1,"name":"quic:marked_for_retransmit","data":{"frames":[]}})"), "");
  EXPECT_NE(wrong(R"({"time":1,"name":"quic:marked_for_retransmit",
                      "data":{"frames":[{"frame_type":"crypto","offset":1}]}})"),
            "");
}

TEST_F(Qlog, AllFramesOfAPacketAreThere) {
  const std::vector<u8> frames = all_frames();
  const std::string text = write(
      {PacketSent{.header = {.packet_type = PacketType::one_rtt}, .frames = frames, .length = 1}});
  const auto records = test::parse_json_sequence(text);
  ASSERT_TRUE(records);
  const JsonValue* const list = records->back().find("data")->find("frames");
  ASSERT_NE(list, nullptr);
  std::vector<std::string> types;
  for (const JsonValue& frame : list->elements) types.push_back(frame.at("frame_type"));
  const std::vector<std::string> expected{"ping",
                                          "ack",
                                          "reset_stream",
                                          "stop_sending",
                                          "crypto",
                                          "new_token",
                                          "stream",
                                          "max_data",
                                          "max_stream_data",
                                          "max_streams",
                                          "max_streams",
                                          "data_blocked",
                                          "stream_data_blocked",
                                          "streams_blocked",
                                          "new_connection_id",
                                          "retire_connection_id",
                                          "path_challenge",
                                          "path_response",
                                          "handshake_done",
                                          "unknown",
                                          "connection_close",
                                          "connection_close",
                                          "connection_close",
                                          "connection_close",
                                          "padding"};
  EXPECT_EQ(types, expected);
  EXPECT_EQ(list->elements[1].at("ack_delay"), "8");  // 1,000 << 3 microseconds.
  EXPECT_EQ(list->elements[6].find("raw")->at("payload_length"), "11");
}

TEST_F(Qlog, HoldsNoSecretAndNoData) {
  const std::string text = write(EachEvent().all());
  EXPECT_EQ(text.find("SECRET"), std::string::npos);
  EXPECT_EQ(text.find("deadbeef"), std::string::npos);
  EXPECT_EQ(text.find("5345435245"), std::string::npos);  // "SECRE" in hex.
}

TEST_F(Qlog, FramesThatAreNoneEndTheList) {
  for (int first = 0; first < 256; ++first) {
    const std::vector<u8> frames{static_cast<u8>(first), 0xff, 0xff, 0xff};
    const std::string text = write({PacketReceived{
        .header = {.packet_type = PacketType::handshake}, .frames = frames, .length = 40}});
    EXPECT_EQ(schema.check_file(text), "") << first;
    std::filesystem::remove(folder + "/" + kFile);
  }
}

TEST_F(Qlog, FilesAreNamedAfterTheirConnectionAndNeverReplaced) {
  auto first = open();
  auto second = open();
  ASSERT_NE(first, nullptr);
  ASSERT_NE(second, nullptr);
  first.reset();
  second.reset();
  EXPECT_EQ(files(), (std::vector<std::string>{"abcd010203040506_server.2.sqlog", kFile}));
  struct stat status{};
  ASSERT_EQ(::stat((folder + "/" + kFile).c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(Qlog, AClientThatReusesItsIdGetsAHundredFiles) {
  int made = 0;
  while (made < 1'000 && open() != nullptr) ++made;
  EXPECT_EQ(made, 100);
  EXPECT_EQ(errors.size(), 1U);
}

TEST_F(Qlog, AMissingDirectoryIsToldAndTheConnectionGoesOn) {
  const auto factory = qlog_files({.directory = folder + "/none", .on_error = note()});
  EXPECT_EQ(factory(source()), nullptr);
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_NE(errors[0].find("No such file"), std::string::npos) << errors[0];
}

/// The process may not write files larger than this, as if the disk were full.
class FullDisk {
 public:
  explicit FullDisk(rlim_t size) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = size;
    ::setrlimit(RLIMIT_FSIZE, &limit);
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
  }
  ~FullDisk() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int) = SIG_DFL;
};

TEST_F(Qlog, AFullDiskIsToldOnce) {
  const FullDisk full(10'000);
  write(std::vector<Event>(5'000, MtuUpdated{.old_mtu = 1, .new_mtu = 2}));
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_NE(errors[0].find(kFile), std::string::npos) << errors[0];
}

TEST_F(Qlog, AFileHasTheSizeThatIsAllowedAndWholeRecords) {
  auto observer = qlog_files({.directory = folder, .max_file_size = 5'000})(source());
  for (int i = 0; i < 1'000; ++i) {
    observer->on_event(source(), source().created_at, MtuUpdated{.old_mtu = 1, .new_mtu = 2});
  }
  observer.reset();
  const std::string text = contents(kFile);
  EXPECT_LE(text.size(), 5'000U);
  EXPECT_GT(text.size(), 4'800U);
  EXPECT_EQ(schema.check_file(text), "");
}

TEST_F(Qlog, MetricsAreWrittenWhereTheyDiffer) {
  RecoveryMetricsUpdated metrics{.congestion_window = 12'000, .bytes_in_flight = 1'200};
  std::vector<Event> events{metrics, metrics};
  metrics.bytes_in_flight = 2'400;
  events.emplace_back(metrics);
  const auto records = test::parse_json_sequence(write(events));
  ASSERT_TRUE(records);
  ASSERT_EQ(records->size(), 3U);
  const JsonValue& data = *records->back().find("data");
  ASSERT_EQ(data.members.size(), 1U);
  EXPECT_EQ(data.at("bytes_in_flight"), "2400");
}

TEST_F(Qlog, WhatIsASecondOldIsWritten) {
  auto observer = open();
  observer->on_event(source(), source().created_at, MtuUpdated{.old_mtu = 1, .new_mtu = 2});
  EXPECT_EQ(contents(kFile), "");
  observer->on_event(source(), source().created_at + 1s, MtuUpdated{.old_mtu = 1, .new_mtu = 2});
  EXPECT_EQ(schema.check_file(contents(kFile)), "");
}

TEST_F(Qlog, TheEnvironmentNamesTheDirectory) {
  ::unsetenv("QLOGDIR");
  EXPECT_FALSE(qlog_from_environment());
  ::setenv("QLOGDIR", "", 1);
  EXPECT_FALSE(qlog_from_environment());
  ::setenv("QLOGDIR", (folder + "/").c_str(), 1);
  const auto factory = qlog_from_environment();
  ::unsetenv("QLOGDIR");
  ASSERT_TRUE(factory);
  factory(source()).reset();
  EXPECT_EQ(files(), std::vector<std::string>{kFile});
}

}  // namespace
}  // namespace qpeer::transport::log
