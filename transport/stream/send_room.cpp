// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/stream/send_room.hpp"

#include <algorithm>

namespace qpeer::transport {

SendRoom::SendRoom(const StreamConfig& config, const PoolMember& pool)
    : most_of_stream_(config.send_buffer),
      of_stream_(config.send_buffer),
      of_connection_(std::max(config.connection_send_buffer, config.send_buffer)),
      account_(pool) {}

std::uint64_t SendRoom::room_below(std::uint64_t bound) const {
  return bound - std::min(bound, account_.held());
}

std::uint64_t SendRoom::capacity_for(const Stream& stream, std::uint64_t connection_credit) const {
  const std::uint64_t size = stream.send.buffer().size();
  const std::uint64_t sendable = stream.send.sendable(connection_credit);
  const std::uint64_t credited = std::max(size, std::min(of_stream_, sendable));
  const std::uint64_t most = std::max(credited, std::min(of_stream_, sendable + kUncredited));
  const std::uint64_t uncredited = std::min(most - credited, room_below(of_connection_ / 2));
  const std::uint64_t room = std::min(room_below(of_connection_), account_.room());
  return std::min(credited + uncredited, size + room);
}

void SendRoom::on_written(Stream& stream) {
  const std::uint64_t size = stream.send.buffer().size();
  account_.take(size - stream.charged);
  stream.charged = size;
}

bool SendRoom::settle_changed(Stream& stream, std::uint64_t connection_credit) {
  const std::uint64_t size = stream.send.buffer().size();
  if (size < stream.charged) {
    account_.give_back(stream.charged - size);
    stream.charged = size;
  }
  if (!stream.send.waits_for_room()) {
    leave_queue(stream);
    return false;
  }
  const Wait wait = wait_of(stream, connection_credit);
  if (wait ==
      Wait::for_stream) {  // An event of the stream ends this wait, and settle() follows it.
    leave_queue(stream);
    return false;
  }
  Queue& line = queue(wait);
  if (line.contains(stream)) return false;
  leave_queue(stream);
  if (line.empty() && has_room(wait)) return true;
  line.push_back(stream);
  return false;
}

void SendRoom::leave_queue(Stream& stream) {
  if (stream.room_link.queue == nullptr) return;
  for (Queue& line : waiting_) line.remove(stream);
  if (nobody_waits()) account_.stop_waiting();
}

void SendRoom::remove(Stream& stream) {
  leave_queue(stream);
  account_.give_back(stream.charged);
  stream.charged = 0;
}

Stream* SendRoom::poll_waiting(std::uint64_t connection_credit) {
  for (const Wait wait : {Wait::for_connection, Wait::for_lower_half}) {
    Queue& line = queue(wait);
    while (!line.empty() && has_room(wait)) {
      Stream& stream = line.front();
      line.remove(stream);
      const Wait now = wait_of(stream, connection_credit);
      if (now == wait) return &stream;
      // The connection's credit went to other streams.
      if (now == Wait::for_lower_half) queue(now).push_back(stream);
    }
  }
  if (nobody_waits()) account_.stop_waiting();
  return nullptr;
}

SendRoom::Wait SendRoom::wait_of(const Stream& stream, std::uint64_t connection_credit) const {
  const std::uint64_t sendable = stream.send.sendable(connection_credit);
  if (stream.send.has_room(std::min(of_stream_, sendable))) return Wait::for_connection;
  return stream.send.has_room(std::min(of_stream_, sendable + kUncredited)) ? Wait::for_lower_half
                                                                            : Wait::for_stream;
}

/// Whether writers in this queue can go on: an eighth of the bound must be free, so that not every
/// acknowledged packet wakes one. Where the pool has no room, the account waits.
bool SendRoom::has_room(Wait wait) {
  const std::uint64_t bound = wait == Wait::for_connection ? of_connection_ : of_connection_ / 2;
  if (room_below(bound) <= bound / 8) return false;
  if (account_.has_room()) return true;
  account_.wait();
  return false;
}

bool SendRoom::is_right(const Stream& stream) const {
  const bool waits = waiting_[0].contains(stream) || waiting_[1].contains(stream);
  return stream.charged == stream.send.buffer().size() && (!waits || stream.send.waits_for_room());
}

bool SendRoom::consistent(std::uint64_t charged) const {
  return charged == account_.held() && charged <= of_connection_ && of_stream_ <= most_of_stream_ &&
         waiting_[0].count() && waiting_[1].count();
}

}  // namespace qpeer::transport
