// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/async/stream_core.hpp"

#include <algorithm>

namespace qpeer::async::detail {

void StreamCore::on_finished() {
  if (sending == Sending::finishing) sending = Sending::acknowledged;
  schedule(finishing);
}

void StreamCore::on_stopped(std::uint64_t error_code) {
  if (sending == Sending::open || sending == Sending::finishing) {
    sending = Sending::stopped;
    stop_code = error_code;
  }
  schedule(writing);
  schedule(finishing);
}

void StreamCore::on_over() {
  schedule(reading);
  schedule(writing);
  schedule(finishing);
}

std::optional<StreamError> StreamCore::send_error() const {
  switch (sending) {
    case Sending::open:
      if (is_over()) return StreamError::closed;
      return std::nullopt;
    case Sending::finishing:
    case Sending::acknowledged:
    case Sending::reset:
      return StreamError::finished;
    case Sending::stopped:
      return StreamError::stopped;
    case Sending::none:
      return StreamError::wrong_direction;
  }
  return std::nullopt;
}

std::optional<StreamError> StreamCore::receive_error() const {
  switch (receiving) {
    case Receiving::open:
    case Receiving::ended:
      return std::nullopt;
    case Receiving::reset:
      return StreamError::reset;
    case Receiving::abandoned:
      return StreamError::finished;
    case Receiving::none:
      return StreamError::wrong_direction;
  }
  return std::nullopt;
}

std::expected<ReadView, StreamError> StreamCore::look() {
  const auto view = peek_below();
  if (!view && view.error() == StreamError::reset) {
    receiving = Receiving::reset;
    reset_code = reset_code_below();
  }
  return view;
}

void StreamCore::take(std::size_t size, bool ends) {
  consume_below(size);
  if (ends) receiving = Receiving::ended;
  wake();  // There may be credit to give.
}

void StreamCore::consume(std::size_t size) {
  if (receiving != Receiving::open) return;
  size = std::min(size, shown);
  const bool ends = shown_end && size == shown;
  shown -= size;
  take(size, ends);
}

std::expected<void, StreamError> StreamCore::finish() {
  if (const auto error = send_error()) return std::unexpected(*error);
  const auto finished = finish_below();
  if (finished) sending = Sending::finishing;
  wake();
  return finished;
}

std::expected<void, StreamError> StreamCore::reset(std::uint64_t error_code) {
  const auto error = send_error();
  if (error && sending != Sending::finishing) return std::unexpected(*error);
  sending = Sending::reset;
  schedule(writing);
  schedule(finishing);
  wake();
  return reset_below(error_code);
}

std::expected<void, StreamError> StreamCore::stop_sending(std::uint64_t error_code) {
  if (const auto error = receive_error()) return std::unexpected(*error);
  if (receiving == Receiving::ended) return {};
  receiving = Receiving::abandoned;
  schedule(reading);
  wake();
  return stop_sending_below(error_code);
}

}  // namespace qpeer::async::detail
