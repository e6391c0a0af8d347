// SPDX-License-Identifier: MIT OR BSD-3-Clause
// One connection of a Peer, and what a scenario does on it.
#include "qpeer/tests/sim/peer.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>
#include <variant>

#include <gtest/gtest.h>

#include "qpeer/tests/sim/peer_pattern.hpp"

namespace qpeer::sim {

using transport::ConnectionEvent;
using transport::StreamError;
using transport::StreamEvent;

namespace {

/// Errors that come without a fault of the application, through what the peer does.
bool is_end(StreamError error) {
  return error == StreamError::stopped || error == StreamError::closed;
}

}  // namespace

// --- session: what a scenario asks for ---------------------------------------------------------

void Session::sends(std::uint64_t size, StreamKind kind) {
  ++unacknowledged;
  jobs_.push_back({size, kind});
  if (connected()) start_jobs();
}

std::optional<StreamId> Session::sends_early(std::uint64_t size, StreamKind kind) {
  const auto id = connection().open_early_stream(kind == StreamKind::bidirectional);
  if (!id) return std::nullopt;
  ++unacknowledged;
  StreamRecord& stream = streams[*id];
  stream.to_send = size;
  stream.finish_called = true;
  write_more(*id, stream);
  return *id;
}

void Session::sends_on(StreamId id, std::uint64_t size) {
  ++unacknowledged;
  StreamRecord& stream = streams[id];
  stream.to_send += size;
  stream.finish_called = true;
  write_more(id, stream);
}

std::optional<StreamId> Session::opens(std::uint64_t size, StreamKind kind) {
  const auto id = connection().open_stream(kind == StreamKind::bidirectional);
  if (!id) return std::nullopt;
  StreamRecord& stream = streams[*id];
  stream.to_send = size;
  write_more(*id, stream);
  return *id;
}

void Session::finishes(StreamId id) {
  ++unacknowledged;
  StreamRecord& stream = streams[id];
  stream.finish_called = true;
  stream.to_send = stream.written;
  write_more(id, stream);
}

std::uint64_t Session::reads(std::uint64_t most) {
  std::uint64_t total = 0;
  for (const auto& [id, stream] : streams) {
    if (total < most && !stream.fin) total += read(id, most - total);
  }
  changed();
  return total;
}

void Session::resets(StreamId id, std::uint64_t code) {
  EXPECT_TRUE(connection().reset(id, code).has_value());
  changed();
}

void Session::stops(StreamId id, std::uint64_t code) {
  EXPECT_TRUE(connection().stop_sending(id, code).has_value());
  changed();
}

void Session::closes(std::uint64_t code, std::string_view reason) {
  connection().close(peer_.network_.now(), code, reason);
  changed();
}

std::expected<void, transport::DatagramError> Session::sends_datagram(Bytes data) {
  const auto sent = connection().send_datagram(data);
  changed();
  return sent;
}

void Session::reads_datagrams() {
  while (const auto data = connection().next_datagram()) {
    ++datagrams;
    if (connection().was_datagram_early()) ++early_datagrams;
    if (on_datagram) on_datagram(*data);
  }
}

transport::Connection* Session::find() const {
  return lost_ ? nullptr : peer_.endpoint_->edit(handle_);
}

transport::Connection& Session::connection() const {
  transport::Connection* const connection = closed() ? nullptr : find();
  if (connection == nullptr) {
    ADD_FAILURE() << "the connection is gone: " << (close ? to_string(*close) : "without a word");
    std::abort();
  }
  return *connection;
}

transport::ConnectionStats Session::stats() const { return connection().stats(); }

void Session::changed() { peer_.wake(); }

// --- session: what happens ---------------------------------------------------------------------

void Session::on_event(Instant now, const ConnectionEvent& event) {
  EXPECT_FALSE(closed()) << "an event after Closed";
  std::visit([&](const auto& what) { on(now, what); }, event);
}

void Session::on(Instant now, const transport::Connected& /*event*/) {
  EXPECT_FALSE(connected()) << "connected twice";
  connected_at = now;
  start_jobs();
}

void Session::on(Instant now, const transport::Confirmed& /*event*/) {
  EXPECT_TRUE(connected()) << "confirmed before connected";
  EXPECT_FALSE(confirmed_at.has_value()) << "confirmed twice";
  confirmed_at = now;
}

void Session::on(Instant /*now*/, const transport::Pong& /*event*/) { ++pongs; }

void Session::on(Instant /*now*/, const transport::DatagramReadable& /*event*/) {
  ++datagram_events;
  if (peer_.reads) reads_datagrams();
}

void Session::on(Instant /*now*/, const transport::AddressObserved& event) {
  observed.push_back(event.address);
}

void Session::on(Instant /*now*/, const transport::TokenReceived& event) {
  EXPECT_FALSE(incoming());
  tokens.push_back(event.address_token);
}

void Session::on(Instant /*now*/, const transport::TicketReceived& event) {
  tickets.push_back(event.session_ticket);
}

void Session::on(Instant /*now*/, const transport::EarlyDataDecided& event) {
  EXPECT_FALSE(connected()) << "early data settled late";
  EXPECT_FALSE(early_data_accepted.has_value()) << "early data settled twice";
  early_data_accepted = event.accepted;
}

void Session::on(Instant /*now*/, const transport::PathActivity& event) {
  using Kind = transport::PathActivity::Kind;
  auto& list = event.kind == Kind::validated ? validated_paths
               : event.kind == Kind::failed  ? failed_paths
                                             : paths;
  list.push_back(event.path);
}

void Session::on(Instant now, const transport::Closed& event) {
  closed_at = now;
  close = event.reason;
}

void Session::on(Instant /*now*/, const StreamEvent& event) {
  const StreamId id = event.stream_id;
  switch (event.kind) {
    case StreamEvent::Kind::opened:
      accept_streams(id.is_bidirectional());
      break;
    case StreamEvent::Kind::readable:
      accept_streams(id.is_bidirectional());
      if (peer_.reads) read(id, kMaxVarint);
      break;
    case StreamEvent::Kind::writable:
      write_more(id, streams[id]);
      break;
    case StreamEvent::Kind::finished:
      streams[id].acknowledged = true;
      if (unacknowledged > 0) --unacknowledged;
      break;
    case StreamEvent::Kind::stopped:
      streams[id].stopped_code = event.error_code;
      break;
    case StreamEvent::Kind::can_open:
      start_jobs();
      break;
  }
}

void Session::accept_streams(bool bidirectional) {
  while (const auto id = connection().accept_stream(bidirectional)) {
    EXPECT_NE(id->initiator(), side()) << "accepted a stream of our own";
    EXPECT_EQ(id->is_bidirectional(), bidirectional);
    streams.try_emplace(*id);
    if (peer_.reads) read(*id, kMaxVarint);
  }
}

void Session::start_jobs() {
  const auto start = [this](const Job& job) {
    const auto id = connection().open_stream(job.kind == StreamKind::bidirectional);
    if (!id) {
      EXPECT_TRUE(id.error() == StreamError::limit_reached || is_end(id.error()))
          << to_string(id.error());
      return false;
    }
    StreamRecord& stream = streams[*id];
    stream.to_send = job.size;
    stream.finish_called = true;
    write_more(*id, stream);
    return true;
  };
  // A kind that is at its limit must not hold up the other.
  std::erase_if(jobs_, start);
  changed();
}

void Session::write_more(StreamId id, StreamRecord& stream) {
  transport::Connection& to = connection();
  while (stream.written < stream.to_send) {
    const Bytes data = pattern(id, side(), stream.written, stream.to_send - stream.written);
    const auto written = to.write(id, data);
    if (!written) {
      EXPECT_TRUE(is_end(written.error())) << to_string(written.error());
      return;
    }
    if (*written == 0) break;
    stream.written += *written;
  }
  if (stream.written == stream.to_send && stream.finish_called) {
    stream.finish_called = false;
    const auto finished = to.finish(id);
    EXPECT_TRUE(finished || is_end(finished.error())) << to_string(finished.error());
  }
  changed();
}

std::uint64_t Session::read(StreamId id, std::uint64_t most) {
  transport::Connection& from = connection();
  StreamRecord& stream = streams[id];
  std::uint64_t total = 0;
  while (total < most && !stream.fin) {
    const auto view = from.peek(id);
    if (!view) {
      if (view.error() == StreamError::reset) stream.reset_code = from.reset_code(id);
      break;
    }
    const auto size =
        static_cast<std::size_t>(std::min<std::uint64_t>(view->data.size(), most - total));
    if (size == 0 && !view->fin) break;
    if (peer_.checks) check(id, stream, view->data.first(size));
    const bool ends = view->fin && size == view->data.size();
    stream.early = stream.early || from.is_early(id);
    from.consume(id, size);
    stream.received += size;
    stream.fin = ends;
    total += size;
  }
  received += total;
  peer_.received_ += total;
  if (stream.fin && peer_.echoes && id.is_bidirectional() && id.initiator() != side() &&
      stream.to_send == 0) {
    sends_on(id, stream.received);
  }
  return total;
}

void Session::check(StreamId id, const StreamRecord& stream, Bytes data) const {
  std::uint64_t offset = stream.received;
  while (!data.empty()) {
    const Bytes wanted = pattern(id, other(side()), offset, data.size());
    if (!equal(wanted, data.first(wanted.size()))) {
      ADD_FAILURE() << "stream " << id.value << " differs after byte " << offset;
      std::abort();
    }
    offset += wanted.size();
    data = data.subspan(wanted.size());
  }
}

}  // namespace qpeer::sim
