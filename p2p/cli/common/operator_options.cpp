// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/cli/common/operator_options.hpp"

#include <fmt/format.h>

#include <string_view>
#include <utility>
#include <variant>

#include "qpeer/p2p/cli/common/program.hpp"
#include "qpeer/p2p/cli/common/reporter.hpp"

namespace qpeer::cli {
namespace {

namespace log = transport::log;

class ConnectionLogger final : public log::Observer {
 public:
  ConnectionLogger(std::shared_ptr<OperatorLog> out, std::shared_ptr<Observer> other)
      : out_(std::move(out)), other_(std::move(other)) {}

  void on_event(const log::Source& source, Instant now, const log::Event& event) override {
    if (other_ != nullptr) other_->on_event(source, now, event);
    if (const auto* started = std::get_if<log::ConnectionStarted>(&event)) {
      const std::string address = started->path.remote.to_string();
      write(source, "connection_started", "address", address, "started, with " + address);
    } else if (const auto* state = std::get_if<log::ConnectionStateUpdated>(&event)) {
      if (state->new_state == log::ConnectionState::handshake_complete) {
        write(source, "connection_complete", "", "", "handshake complete");
      }
    } else if (const auto* moved = std::get_if<log::TupleAssigned>(&event)) {
      if (moved->tuple_id == 0) return;
      const std::string address = moved->path.remote.to_string();
      write(source, "connection_moved", "address", address, "goes on with " + address);
    } else if (const auto* closed = std::get_if<log::ConnectionClosed>(&event)) {
      const std::string why(closed->reason);
      write(source, "connection_closed", "why", visible(why), "closed: " + visible(why));
    }
  }

 private:
  void write(const log::Source& source, std::string_view event, std::string_view key,
             std::string_view value, const std::string& sentence) const {
    const std::string id = hex(source.original_destination_connection_id.bytes());
    Json json{event};
    json.text("connection", id).text("side", source.side == Side::client ? "client" : "server");
    if (!key.empty()) json.text(key, value);
    out_->write(LogLevel::debug, json.end(), "connection " + id + ": " + sentence);
  }

  std::shared_ptr<OperatorLog> out_;
  std::shared_ptr<Observer> other_;
};

}  // namespace

void OperatorOptions::declare(Arguments& arguments) {
  arguments.text("--log", "FILE", log,
                 "append what happens, with time and level; - is the standard error");
  arguments.choice<OperatorLog::Format>(
      "--log-format", {{"text", OperatorLog::Format::text}, {"json", OperatorLog::Format::json}},
      format, "the form of its lines (default: text)");
  arguments.toggle("--verbose", verbose, "connections, messages and requests in the log too");
  arguments.alias("-v", "--verbose");
  arguments.text("--metrics", "FILE", metrics,
                 "all figures as OpenMetrics text, replaced every 5 seconds");
}

std::string OperatorOptions::why_wrong() const {
  if (log.empty() && (verbose || format != OperatorLog::Format::text)) {
    return "--verbose and --log-format are for --log FILE";
  }
  return {};
}

std::expected<std::shared_ptr<OperatorLog>, std::string> OperatorOptions::open_log() const {
  if (log.empty()) return nullptr;
  auto opened = OperatorLog::open(log, format, verbose);
  if (!opened) return std::unexpected("--log: " + opened.error());
  return opened;
}

log::ObserverFactory logging_connections(std::shared_ptr<OperatorLog> log,
                                         log::ObserverFactory others) {
  if (log == nullptr || !log->wants(LogLevel::debug)) return others;
  return [log = std::move(log), others = std::move(others)](const log::Source& source) {
    return std::make_shared<ConnectionLogger>(log, others ? others(source) : nullptr);
  };
}

}  // namespace qpeer::cli
