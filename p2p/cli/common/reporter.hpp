// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What a running peer prints: lines for people, or one JSON object a line. When they are not read,
// lines are lost; the next one that is not lost says how many were.
#pragma once

#include <concepts>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "qpeer/p2p/async/async_node.hpp"
#include "qpeer/p2p/cli/common/files.hpp"
#include "qpeer/p2p/cli/common/operator_log.hpp"
#include "qpeer/p2p/cli/common/program.hpp"
#include "qpeer/p2p/cli/common/receiver.hpp"
#include "qpeer/p2p/node_event.hpp"

namespace qpeer::cli {

/// A flat JSON object, key by key.
class Json {
 public:
  /// {"event":"..."
  explicit Json(std::string_view event) { text("event", event); }
  Json& text(std::string_view key, std::string_view value) { return raw(key, json_string(value)); }
  template <std::integral T>
  Json& number(std::string_view key, T value) {
    return raw(key, fmt::format("{}", value));
  }
  Json& milliseconds(std::string_view key, Duration value);
  Json& raw(std::string_view key, std::string_view value);
  [[nodiscard]] std::string end() const { return out_ + '}'; }

 private:
  std::string out_;
};

/// Milliseconds, with three decimals.
[[nodiscard]] std::string in_milliseconds(Duration time);
/// Data from a peer, for a terminal: invisible characters become '?'.
[[nodiscard]] std::string printable(Bytes data, Newlines newlines = Newlines::masked);
/// "dialled", "dialled back", "as client": how we came to a link.
[[nodiscard]] std::string_view how(const p2p::LinkInfo& link, p2p::Role own);

class Reporter {
 public:
  /// Everything goes to `log` as well, which may be null.
  Reporter(bool json, bool quiet, p2p::Role own, std::shared_ptr<OperatorLog> log = nullptr)
      : json_(json), quiet_(quiet), own_(own), log_(std::move(log)) {}
  void set_role(p2p::Role own) { own_ = own; }
  [[nodiscard]] p2p::Role role() const { return own_; }

  void listening(const p2p::AsyncNode& node) const;
  /// Others reach the node with this ticket from now on.
  void ticket(const std::string& ticket) const;
  void on_event(const p2p::AsyncNodeBase& peer, const p2p::NodeEvent& event) const;
  void message(const p2p::Message& message) const;
  void request(const p2p::IncomingRequest& request) const;
  /// Prints the answer to a request, also when quiet. The line is never lost, so that the caller must
  /// wait for output_has_room() before the next request.
  void reply(const PeerId& from, Bytes answer, Duration took) const;
  void received(const Received& file) const;
  /// Prints a sentence on standard output unless quiet; in JSON, an event of this kind.
  void note(std::string_view kind, const std::string& sentence) const;
  /// The same on standard error, whether quiet or not.
  void trouble(std::string_view kind, const std::string& sentence) const;

 private:
  template <class... T>
  void tell(const Json& json, fmt::format_string<T...> format, T&&... values) const {
    tell_at(LogLevel::info, json, format, std::forward<T>(values)...);
  }
  /// `level` is that in the log.
  template <class... T>
  void tell_at(LogLevel level, const Json& json, fmt::format_string<T...> format,
               T&&... values) const {
    const bool logged = log_ != nullptr && log_->wants(level);
    const bool printed = !json_ && !quiet_;
    if (json_) print(json.end());
    if (!logged && !printed) return;
    const std::string text = fmt::format(format, std::forward<T>(values)...);
    if (printed) print(text);
    if (logged) log_->write(level, json.end(), text);
  }
  void print(std::string_view line) const;
  void link_up(const p2p::AsyncNodeBase& peer, const p2p::LinkUp& event) const;
  void port_mapped(const p2p::PortMapped& event) const;
  void key_in_use(const p2p::KeyInUse& event) const;
  void dial_refused(const p2p::DialRefused& event) const;

  bool json_;
  bool quiet_;
  p2p::Role own_;
  std::shared_ptr<OperatorLog> log_;
  mutable std::uint64_t lost_ = 0;
};

}  // namespace qpeer::cli
