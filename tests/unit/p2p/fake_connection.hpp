// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A transport::Connection without a network: a test fills its streams and reads what was written.
#pragma once

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "qpeer/transport/connection/connection.hpp"

namespace qpeer::p2p {

class FakeConnection final : public transport::Connection {
 public:
  /// The first bidirectional stream of a client is the control stream: open_stream() gives those
  /// that follow.
  explicit FakeConnection(Side side = Side::client)
      : side_(side), opened_{0, side == Side::client ? 1U : 0U} {}

  struct Stream {
    std::vector<u8> incoming{};  ///< Not consumed yet.
    bool incoming_fin = false;
    bool fin_consumed = false;
    bool incoming_reset = false;
    std::vector<u8> written{};
    bool finished = false;
    std::optional<std::uint64_t> reset_with{};
    std::optional<std::uint64_t> stopped_with{};
  };
  std::map<StreamId, Stream> streams{};
  std::size_t streams_allowed = 100;   ///< That open_stream() may open.
  std::size_t write_room = 1'000'000;  ///< That write() may take, of all streams together.
  std::deque<StreamId> to_accept{};    ///< That the peer opened.
  std::deque<std::vector<u8>> datagrams_in{};
  std::vector<std::vector<u8>> datagrams_out{};
  crypto::PeerCertificate certificate{};
  Path four_tuple{};
  std::optional<std::uint64_t> closed_with{};
  std::size_t pings = 0;

  /// The peer sends `data` on a stream.
  void receives(StreamId id, const std::vector<u8>& data, bool fin = false) {
    Stream& stream = streams[id];
    stream.incoming.insert(stream.incoming.end(), data.begin(), data.end());
    stream.incoming_fin = stream.incoming_fin || fin;
  }

  std::expected<StreamId, transport::StreamError> open_stream(bool bidirectional) override {
    if (streams_allowed == 0) return std::unexpected(transport::StreamError::limit_reached);
    --streams_allowed;
    const StreamId id = StreamId::make(side_, bidirectional, opened_[bidirectional ? 1 : 0]++);
    streams[id];
    return id;
  }
  std::expected<StreamId, transport::StreamError> open_early_stream(bool bidirectional) override {
    return open_stream(bidirectional);
  }
  [[nodiscard]] bool is_early(StreamId /*id*/) const override { return false; }
  std::optional<StreamId> accept_stream(bool bidirectional) override {
    const auto at = std::ranges::find_if(
        to_accept, [&](StreamId id) { return id.is_bidirectional() == bidirectional; });
    if (at == to_accept.end()) return std::nullopt;
    const StreamId out = *at;
    to_accept.erase(at);
    return out;
  }
  std::expected<std::size_t, transport::StreamError> write(StreamId id, Bytes data) override {
    Stream& stream = streams[id];
    if (stream.stopped_with) return std::unexpected(transport::StreamError::stopped);
    const std::size_t size = std::min(write_room, data.size());
    write_room -= size;
    stream.written.insert(stream.written.end(), data.begin(),
                          data.begin() + static_cast<std::ptrdiff_t>(size));
    return size;
  }
  std::expected<void, transport::StreamError> finish(StreamId id) override {
    streams[id].finished = true;
    return {};
  }
  std::expected<void, transport::StreamError> reset(StreamId id, std::uint64_t code) override {
    streams[id].reset_with = code;
    return {};
  }
  std::expected<void, transport::StreamError> stop_sending(StreamId id,
                                                           std::uint64_t code) override {
    streams[id].stopped_with = code;
    return {};
  }
  std::expected<transport::ReadView, transport::StreamError> peek(StreamId id) override {
    const Stream& stream = streams[id];
    if (stream.incoming_reset) return std::unexpected(transport::StreamError::reset);
    // A unidirectional stream is forgotten once its end is consumed.
    if (stream.fin_consumed && !id.is_bidirectional()) {
      return std::unexpected(transport::StreamError::unknown_stream);
    }
    return transport::ReadView{.data = stream.incoming, .fin = stream.incoming_fin};
  }
  void consume(StreamId id, std::size_t size) override {
    Stream& stream = streams[id];
    std::vector<u8>& incoming = stream.incoming;
    incoming.erase(incoming.begin(), incoming.begin() + static_cast<std::ptrdiff_t>(size));
    stream.fin_consumed = stream.incoming_fin && incoming.empty();
  }
  [[nodiscard]] std::uint64_t reset_code(StreamId /*id*/) const override { return 0; }

  std::expected<void, transport::DatagramError> send_datagram(Bytes data) override {
    datagrams_out.emplace_back(data.begin(), data.end());
    return {};
  }
  std::expected<void, transport::DatagramError> send_early_datagram(Bytes data) override {
    return send_datagram(data);
  }
  [[nodiscard]] std::optional<std::size_t> max_datagram_payload() const override { return 1'200; }
  std::optional<Bytes> next_datagram() override {
    if (datagrams_in.empty()) return std::nullopt;
    datagram_ = std::move(datagrams_in.front());
    datagrams_in.pop_front();
    return Bytes(datagram_);
  }
  [[nodiscard]] bool was_datagram_early() const override { return false; }
  [[nodiscard]] bool receives_datagrams() const override { return true; }

  void close(Instant /*now*/, std::uint64_t code, std::string_view /*reason*/) override {
    closed_with = code;
  }
  void ping() override { ++pings; }
  std::expected<void, transport::PathError> probe_path(Instant /*now*/,
                                                       const SocketAddress& /*local*/) override {
    return std::unexpected(transport::PathError::disabled);
  }
  std::expected<void, transport::PathError> migrate(Instant /*now*/,
                                                    const SocketAddress& /*local*/) override {
    return std::unexpected(transport::PathError::disabled);
  }
  bool rotate_connection_ids() override { return false; }
  bool initiate_key_update() override { return false; }

  [[nodiscard]] Side side() const override { return side_; }
  [[nodiscard]] Version version() const override { return {}; }
  [[nodiscard]] const Path& path() const override { return four_tuple; }
  [[nodiscard]] bool is_connected() const override { return true; }
  [[nodiscard]] bool is_confirmed() const override { return true; }
  [[nodiscard]] bool is_closed() const override { return closed_with.has_value(); }
  [[nodiscard]] bool is_drained() const override { return is_closed(); }
  [[nodiscard]] bool is_resumed() const override { return false; }
  [[nodiscard]] crypto::EarlyData early_data() const override { return crypto::EarlyData::none; }
  [[nodiscard]] const std::optional<transport::CloseReason>& close_reason() const override {
    return close_reason_;
  }
  [[nodiscard]] crypto::PeerCertificate peer_certificate() const override { return certificate; }
  [[nodiscard]] std::string_view alpn() const override { return {}; }
  [[nodiscard]] std::string_view server_name() const override { return {}; }
  [[nodiscard]] crypto::CipherSuite cipher_suite() const override { return {}; }
  [[nodiscard]] std::string key_exchange_group() const override { return {}; }
  [[nodiscard]] const wire::TransportParameters& peer_parameters() const override {
    return parameters_;
  }
  [[nodiscard]] transport::ConnectionStats stats() const override { return {}; }

 private:
  Side side_;
  std::array<std::uint64_t, 2> opened_;  ///< Unidirectional, bidirectional.
  std::vector<u8> datagram_{};
  std::optional<transport::CloseReason> close_reason_{};
  wire::TransportParameters parameters_{};
};

}  // namespace qpeer::p2p
