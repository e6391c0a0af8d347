// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A peer that does what a test tells it to: a bare transport::Endpoint that speaks the control
// protocol by hand. Left alone it behaves like an honest node that proves itself and takes everybody
// for reachable; a test turns off, or says in its stead, what it is about.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "qpeer/p2p/control_messages.hpp"
#include "qpeer/p2p/control_reader.hpp"
#include "qpeer/tests/scenario/p2p/world.hpp"
#include "qpeer/transport/endpoint/endpoint.hpp"

namespace qpeer::sim {

struct MaliciousPeerConfig {
  p2p::Role role = p2p::Role::node;
  std::uint64_t major = p2p::kProtocolMajor;
  std::uint64_t minor = p2p::kProtocolMinor;
  std::uint64_t instance = 0;
  /// Unset: the port that it listens on, at whatever host it is seen from.
  std::optional<std::vector<SocketAddress>> advertised{};
  bool introduces = true;      ///< By itself: at once when it dials, as an answer when it accepts.
  bool proves = true;          ///< By itself, to whoever dials it back.
  bool reads = true;           ///< What comes on streams of the application; see reads_all().
  bool reads_control = true;   ///< What comes on control streams, once a connection is introduced.
  bool sends_receipts = true;  ///< Of what it has read to its end.
  std::optional<p2p::Verdict> verdict = p2p::Verdict::reachable;  ///< On nodes that dial it.
  std::uint64_t max_message_size = kMaxVarint;                    ///< That it says to take.
  std::size_t max_connections = 1'000;
  SocketAddress address{};
  std::string identity{};
  bool without_certificate = false;  ///< It shows none.
  std::string alpn{p2p::kAlpn};
  transport::ConnectionConfig connection = p2p::NodeConfig::default_connection();
};

class MaliciousPeer {
 public:
  /// One connection, as long as the test lasts.
  struct Line {
    transport::ConnectionHandle handle{};
    bool dialled = false;
    bool connected = false;
    p2p::Purpose purpose = p2p::Purpose::link;  ///< By the word of its dialler.
    std::optional<StreamId> control{};
    p2p::ControlReader reader{};
    p2p::Nonce nonce{};  ///< Of our introduction.
    std::optional<p2p::Introduction> theirs{};
    std::vector<p2p::ControlMessage> control_received{};
    std::map<StreamId, std::vector<u8>> received{};  ///< On streams of the application.
    std::vector<StreamId> received_whole{};
    std::set<StreamId> confirmed{};  ///< With a receipt of ours.
    std::set<StreamId> unread{};     ///< Readable while config.reads was off.
    std::map<StreamId, std::uint64_t> stopped{};
    std::map<StreamId, std::uint64_t> reset{};
    std::optional<transport::CloseReason> closed{};
  };

  explicit MaliciousPeer(PeerWorld& world, MaliciousPeerConfig configuration = {});
  ~MaliciousPeer() { world_.detach(*host_); }
  MaliciousPeer(const MaliciousPeer&) = delete;
  MaliciousPeer& operator=(const MaliciousPeer&) = delete;

  // --- doing -----------------------------------------------------------------------------------

  Line& dial(const SimPeer& peer, p2p::Purpose purpose = p2p::Purpose::link) {
    return dial(peer.address(), purpose);
  }
  Line& dial(const SocketAddress& address, p2p::Purpose purpose = p2p::Purpose::link);
  p2p::Introduction introduction(Line& line);
  void send_control(Line& line, const p2p::ControlMessage& message);
  /// On the control stream, which it opens when there is none.
  void send_bytes(Line& line, Bytes bytes);
  std::optional<StreamId> opens(Line& line, bool bidirectional);
  /// As much as flow control takes; how much that was.
  std::size_t writes(Line& line, StreamId stream, Bytes data, bool finish = false);
  std::size_t writes(Line& line, StreamId stream, std::string_view text, bool finish = false) {
    return writes(line, stream, as_bytes(text), finish);
  }
  void closes(Line& line);
  /// From now on, and what came while config.reads was off.
  void reads_all(Line& line);
  /// The same of the control stream and config.reads_control.
  void reads_control_of(Line& line) {
    config.reads_control = true;
    read_control(line);
    world_.wake(*host_);
  }
  /// Dials, and stays until both directions are proved.
  bool links(SimPeer& peer);

  // --- what happened ---------------------------------------------------------------------------

  [[nodiscard]] static bool is_closed_with(const Line& line, p2p::ErrorCode code) {
    return line.closed && line.closed->kind == transport::CloseReason::Kind::peer_application &&
           line.closed->code == std::to_underlying(code);
  }
  [[nodiscard]] static Predicate closed_with(const Line& line, p2p::ErrorCode code) {
    return [&line, code] { return is_closed_with(line, code); };
  }
  template <class M>
  [[nodiscard]] static std::vector<M> received(const Line& line) {
    std::vector<M> out;
    for (const auto& message : line.control_received) {
      if (const M* found = std::get_if<M>(&message)) out.push_back(*found);
    }
    return out;
  }
  [[nodiscard]] std::optional<p2p::Verdict> verdict_on_us(const Line& line) const {
    const auto all = received<p2p::VerdictMessage>(line);
    return all.empty() ? std::nullopt : std::optional(all.back().verdict);
  }
  /// The lines that others dialled.
  [[nodiscard]] std::vector<Line*> accepted();
  [[nodiscard]] const PeerId& id() const { return id_; }
  [[nodiscard]] const SocketAddress& address() const { return address_; }
  [[nodiscard]] p2p::Candidate candidate() const {
    return {.address = address_, .id = id_, .server_name = {}};
  }
  [[nodiscard]] Host& host() const { return *host_; }
  transport::Connection* connection(const Line& line) { return endpoint_->edit(line.handle); }

  MaliciousPeerConfig config;
  std::deque<Line> lines;
  /// Instead of what it does by itself, when set.
  std::function<void(Line&)> on_connected;
  std::function<void(Line&, const p2p::ControlMessage&)> on_message;

 private:
  void on_event(const transport::EndpointEvent& event);
  void on_stream(Line& line, const transport::StreamEvent& event);
  void read_control(Line& line);
  void read(Line& line, StreamId stream);
  void on_whole(Line& line, StreamId stream);
  void answer(Line& line, const p2p::Introduction& message);
  Line* find(transport::ConnectionHandle handle);

  PeerWorld& world_;
  SocketAddress address_;
  PeerId id_;
  SeededRandom random_;
  NullKeys keys_;
  std::shared_ptr<crypto::TlsContext> tls_;
  std::unique_ptr<transport::Endpoint> endpoint_;
  Host* host_ = nullptr;
};

}  // namespace qpeer::sim
