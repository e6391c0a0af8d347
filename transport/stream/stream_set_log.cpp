// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What an observer learns of streams: each state of each direction that is new when the set looks at a
// stream. RFC 9000 §3.1, §3.2.
#include "qpeer/transport/log/event_log.hpp"
#include "qpeer/transport/stream/stream_set.hpp"

namespace qpeer::transport {
namespace {

log::StreamState state_of(SendState state) {
  switch (state.value()) {
    case SendState::ready:
      return log::StreamState::ready;
    case SendState::send:
      return log::StreamState::send;
    case SendState::data_sent:
      return log::StreamState::data_sent;
    case SendState::reset_sent:
      return log::StreamState::reset_sent;
    case SendState::data_recvd:
      return log::StreamState::data_received;
    case SendState::reset_recvd:
      break;
  }
  return log::StreamState::reset_received;
}

log::StreamState state_of(RecvState state) {
  switch (state.value()) {
    case RecvState::recv:
      return log::StreamState::receive;
    case RecvState::size_known:
      return log::StreamState::size_known;
    case RecvState::data_recvd:
      return log::StreamState::data_received;
    case RecvState::reset_recvd:
      return log::StreamState::reset_received;
    case RecvState::data_read:
      return log::StreamState::data_read;
    case RecvState::reset_read:
      break;
  }
  return log::StreamState::reset_read;
}

}  // namespace

void StreamSet::log_states(Stream& stream) const {
  const auto look = [&](bool sending, log::StreamState state, std::optional<u8>& logged) {
    if (logged == static_cast<u8>(state)) return;
    logged = static_cast<u8>(state);
    log_->emit(
        log::StreamStateUpdated{.stream_id = stream.id, .sending = sending, .new_state = state});
  };
  if (stream.sends) look(true, state_of(stream.send.state()), stream.logged_send_state);
  if (stream.receives) look(false, state_of(stream.recv.state()), stream.logged_recv_state);
}

}  // namespace qpeer::transport
