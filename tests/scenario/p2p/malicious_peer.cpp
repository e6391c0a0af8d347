// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/tests/scenario/p2p/malicious_peer.hpp"

#include <algorithm>
#include <utility>
#include <variant>

#include "qpeer/tests/unit/p2p/encoded_control.hpp"

namespace qpeer::sim {

MaliciousPeer::MaliciousPeer(PeerWorld& world, MaliciousPeerConfig configuration)
    : config(std::move(configuration)),
      world_(world),
      address_(config.address.valid() ? config.address : world.new_address()),
      random_(world.random().split()) {
  if (config.identity.empty()) config.identity = "attacker at " + address_.to_string();
  id_ = PeerId{test_certificate(config.identity).spki_sha256};
  tls_ = make_test_tls(random_, {.alpn = {config.alpn},
                                 .identity = config.without_certificate ? "" : config.identity,
                                 .tickets = 0});
  transport::EndpointConfig endpoint;
  endpoint.connection = config.connection;
  endpoint.server_tls = tls_;
  endpoint.max_connections = config.max_connections;
  endpoint_ = std::make_unique<transport::Endpoint>(endpoint, keys_, random_);
  host_ = &world_.attach(
      *endpoint_, [this](const transport::EndpointEvent& event) { on_event(event); }, address_);
}

MaliciousPeer::Line& MaliciousPeer::dial(const SocketAddress& address, p2p::Purpose purpose) {
  transport::ConnectOptions options;
  options.tls = tls_;
  options.connection = config.connection;
  const auto handle = endpoint_->connect(world_.now(), address, options);
  lines.emplace_back();
  Line& line = lines.back();
  line.handle = handle.value();
  line.dialled = true;
  line.purpose = purpose;
  world_.wake(*host_);
  return line;
}

p2p::Introduction MaliciousPeer::introduction(Line& line) {
  random_.fill_private(line.nonce);
  p2p::Introduction out{.major = config.major,
                        .minor = config.minor,
                        .role = config.role,
                        .purpose = line.purpose,
                        .nonce = line.nonce,
                        .max_message_size = config.max_message_size,
                        .advertised = {},
                        .instance = config.instance};
  if (config.advertised) {
    for (const SocketAddress& address : *config.advertised) out.advertised.push_back(address);
  } else if (config.role == p2p::Role::node) {
    out.advertised.push_back(SocketAddress::ipv4({0, 0, 0, 0}, address_.port()));
  }
  return out;
}

void MaliciousPeer::send_control(Line& line, const p2p::ControlMessage& message) {
  send_bytes(line, p2p::encoded(message));
}

void MaliciousPeer::send_bytes(Line& line, Bytes bytes) {
  if (!line.control) line.control = opens(line, true);
  if (line.control) writes(line, *line.control, bytes);
}

std::optional<StreamId> MaliciousPeer::opens(Line& line, bool bidirectional) {
  transport::Connection* open = connection(line);
  const auto stream = open == nullptr ? std::unexpected(transport::StreamError::closed)
                                      : open->open_stream(bidirectional);
  return stream ? std::optional(*stream) : std::nullopt;
}

std::size_t MaliciousPeer::writes(Line& line, StreamId stream, Bytes data, bool finish) {
  transport::Connection* open = connection(line);
  if (open == nullptr) return 0;
  const auto written = open->write(stream, data);
  if (finish) (void)open->finish(stream);
  world_.wake(*host_);
  return written.value_or(0);
}

void MaliciousPeer::closes(Line& line) {
  if (transport::Connection* open = connection(line)) open->close(world_.now(), 0, "");
  world_.wake(*host_);
}

bool MaliciousPeer::links(SimPeer& peer) {
  Line& line = dial(peer);
  return world_.run_until(
      [&] {
        const auto link = peer.node().link(id_);
        return link && link->up && verdict_on_us(line) == p2p::Verdict::reachable;
      },
      10s);
}

std::vector<MaliciousPeer::Line*> MaliciousPeer::accepted() {
  std::vector<Line*> out;
  for (Line& line : lines) {
    if (!line.dialled) out.push_back(&line);
  }
  return out;
}

// --- events --------------------------------------------------------------------------------------

MaliciousPeer::Line* MaliciousPeer::find(transport::ConnectionHandle handle) {
  const auto at = std::ranges::find(lines, handle, &Line::handle);
  return at == lines.end() ? nullptr : &*at;
}

void MaliciousPeer::on_event(const transport::EndpointEvent& event) {
  const auto* const activity = std::get_if<transport::ConnectionActivity>(&event);
  if (activity == nullptr) return;  // The endpoint has drained.
  Line* known = find(activity->connection);
  if (known == nullptr) {
    lines.emplace_back();
    known = &lines.back();
    known->handle = activity->connection;
  }
  Line& line = *known;
  if (std::holds_alternative<transport::Connected>(activity->event)) {
    line.connected = true;
    if (on_connected) return on_connected(line);
    if (line.dialled && config.introduces) send_control(line, introduction(line));
  } else if (const auto* stream = std::get_if<transport::StreamEvent>(&activity->event)) {
    on_stream(line, *stream);
  } else if (const auto* closed = std::get_if<transport::Closed>(&activity->event)) {
    if (line.control) read_control(line);
    line.closed = closed->reason;
  }
}

void MaliciousPeer::on_stream(Line& line, const transport::StreamEvent& event) {
  using Kind = transport::StreamEvent::Kind;
  if (event.kind == Kind::stopped) line.stopped[event.stream_id] = event.error_code;
  if (event.kind == Kind::readable) {
    return line.control == event.stream_id ? read_control(line) : read(line, event.stream_id);
  }
  if (event.kind != Kind::opened) return;
  transport::Connection* open = connection(line);
  while (const auto stream =
             open ? open->accept_stream(event.stream_id.is_bidirectional()) : std::nullopt) {
    if (stream->is_bidirectional() && !line.control) {
      line.control = *stream;
      read_control(line);
    } else {
      read(line, *stream);
    }
  }
}

void MaliciousPeer::read_control(Line& line) {
  if (line.theirs && !config.reads_control) return;
  transport::Connection* open = connection(line);
  for (;;) {
    line.reader.begin_turn();
    const auto view =
        open ? open->peek(*line.control) : std::unexpected(transport::StreamError::closed);
    if (!view || view->data.empty()) return;
    open->consume(*line.control, line.reader.feed(view->data));
    if (line.reader.error() != p2p::ErrorCode::none) return;
    const auto message = line.reader.next();
    if (!message) continue;
    line.control_received.push_back(*message);
    const auto* introduction = std::get_if<p2p::Introduction>(&*message);
    if (introduction != nullptr) line.theirs = *introduction;
    if (on_message) {
      on_message(line, *message);
    } else if (introduction != nullptr && !line.dialled) {
      answer(line, *introduction);
    }
  }
}

void MaliciousPeer::answer(Line& line, const p2p::Introduction& message) {
  line.purpose = message.purpose;
  if (config.introduces) send_control(line, introduction(line));
  if (config.proves) {
    for (const Line& other : lines) {
      if (other.dialled && other.theirs)
        send_control(line, p2p::Proof{.nonce = other.theirs->nonce});
    }
  }
  if (config.verdict && message.role == p2p::Role::node) {
    send_control(line, p2p::VerdictMessage{.verdict = *config.verdict, .address = std::nullopt});
  }
}

void MaliciousPeer::reads_all(Line& line) {
  config.reads = true;
  for (const StreamId stream : std::exchange(line.unread, {})) read(line, stream);
  world_.wake(*host_);
}

void MaliciousPeer::read(Line& line, StreamId stream) {
  if (!config.reads) {
    line.unread.insert(stream);
    return;
  }
  transport::Connection* open = connection(line);
  for (;;) {
    const auto view = open ? open->peek(stream) : std::unexpected(transport::StreamError::closed);
    if (!view) {
      if (view.error() == transport::StreamError::reset) {
        line.reset[stream] = open->reset_code(stream);
      }
      return;
    }
    auto& received = line.received[stream];
    received.insert(received.end(), view->data.begin(), view->data.end());
    const bool fin = view->fin;
    const bool empty = view->data.empty();
    open->consume(stream, view->data.size());
    if (fin) return on_whole(line, stream);
    if (empty) return;
  }
}

// As an honest peer: messages of nodes, and answers to us, are confirmed.
void MaliciousPeer::on_whole(Line& line, StreamId stream) {
  line.received_whole.push_back(stream);
  const bool is_ours = line.dialled == (stream.initiator() == Side::client);
  const bool is_request = stream.is_bidirectional() && !is_ours;
  if (is_request || !config.sends_receipts || config.minor < p2p::kMinorOfReceipts) return;
  if (!line.confirmed.insert(stream).second) return;
  p2p::Receipts receipts;
  receipts.streams.push_back(stream);
  send_control(line, receipts);
}

}  // namespace qpeer::sim
