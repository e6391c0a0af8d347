// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/cli/doctor_report.hpp"

#include <sys/timex.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "qpeer/p2p/cli/common/arguments.hpp"
#include "qpeer/p2p/cli/common/program.hpp"
#include "qpeer/p2p/cli/common/reporter.hpp"
#include "qpeer/transport/io/system_clock.hpp"

namespace qpeer::cli {
namespace {

using p2p::FamilyReport;
using p2p::NetworkFinding;
using p2p::NetworkOutlook;
using p2p::ServerReport;
using Outcome = p2p::StunOutcome;

constexpr int kClient = 3;
constexpr int kRelayOnly = 4;
/// A clock that is earlier was never set: 2026-01-01.
constexpr UnixSeconds kEarliest{std::chrono::seconds{1'767'225'600}};

std::string_view word(Outcome outcome) {
  switch (outcome) {
    case Outcome::answered:
      return "answered";
    case Outcome::refused:
      return "refused";
    case Outcome::malformed:
      return "malformed";
    case Outcome::timed_out:
      break;
  }
  return "silent";
}

std::string_view flag(bool value) { return value ? "true" : "false"; }

// --- this machine --------------------------------------------------------------------------------

NetworkFinding socket_finding(const DoctorReport& report) {
  const io::UdpCapabilities& can = report.socket;
  NetworkFinding out{.topic = "socket", .text = {}};
  out.text = fmt::format("GSO {}, GRO {}, ECN {}, buffers {} to send and {} to receive",
                         can.gso ? "yes" : "no", can.gro ? "yes" : "no", can.ecn ? "yes" : "no",
                         human_size(can.send_buffer), human_size(can.receive_buffer));
  if (!can.gso || !can.gro) {
    out.advice = "use Linux 5.0 or later: without GSO and GRO each datagram costs a system call";
  } else if (std::min(can.send_buffer, can.receive_buffer) < report.buffers_wanted) {
    out.advice = fmt::format(
        "allow larger buffers: sysctl -w net.core.rmem_max={0} "
        "net.core.wmem_max={0}",
        report.buffers_wanted);
  }
  return out;
}

NetworkFinding clock_finding(const ClockReport& clock) {
  if (clock.time < kEarliest) {
    return {.topic = "clock",
            .text = "the clock was never set, so that certificates seem not valid yet",
            .advice = "set the clock, and start an NTP client"};
  }
  if (!clock.synchronised) return {.topic = "clock", .text = "the clock is set"};
  if (*clock.synchronised) return {.topic = "clock", .text = "the clock is kept right"};
  return {.topic = "clock",
          .text = "the clock is set, but nothing keeps it right",
          .advice = "start an NTP client: certificates are checked against the clock"};
}

std::vector<NetworkFinding> all_findings(const DoctorReport& report) {
  std::vector<NetworkFinding> out = p2p::findings_of(report.network);
  const std::vector<NetworkFinding> local{socket_finding(report), clock_finding(report.clock)};
  out.insert(out.end() - 1, local.begin(), local.end());  // The outlook stays the last.
  return out;
}

// --- JSON ----------------------------------------------------------------------------------------

/// Keys and values of an object, one after the other.
class Object {
 public:
  Object& raw(std::string_view key, std::string_view value) {
    text_ += fmt::format("{}{}:{}", text_.empty() ? "" : ",", json_string(key), value);
    return *this;
  }
  Object& text(std::string_view key, std::string_view value) {
    return raw(key, json_string(value));
  }
  Object& number(std::string_view key, std::uint64_t value) {
    return raw(key, fmt::format("{}", value));
  }
  Object& address(std::string_view key, const SocketAddress& value) {
    return raw(key, value.valid() ? json_string(value.to_string()) : "null");
  }
  Object& maybe(std::string_view key, std::optional<bool> value) {
    return raw(key, value ? flag(*value) : "null");
  }
  [[nodiscard]] std::string end() const { return '{' + text_ + '}'; }

 private:
  std::string text_;
};

template <class T, class F>
std::string list_of(const std::vector<T>& values, F&& to_json) {
  std::string out;
  for (const T& value : values) out += (out.empty() ? "" : ",") + to_json(value);
  return '[' + out + ']';
}

std::string json_of(const ServerReport& server) {
  Object out;
  out.address("address", server.server).text("outcome", word(server.outcome));
  out.address("seen", server.seen);
  return out.raw("rtt_ms", server.round_trip ? in_milliseconds(*server.round_trip) : "null").end();
}

std::string json_of(const FamilyReport& family) {
  Object out;
  out.number("asked", family.asked).number("answered", family.answered);
  out.address("own", family.own).address("seen", family.seen);
  out.text("mapping", to_string(family.mapping)).text("filtering", to_string(family.filtering));
  return out.maybe("hairpin", family.hairpin).end();
}

std::string json_of(const p2p::GatewayReport& gateway) {
  if (!gateway.gateway.valid()) return "null";
  Object out;
  out.address("address", gateway.gateway);
  if (gateway.mapping) {
    const auto lease = std::chrono::duration_cast<std::chrono::seconds>(gateway.mapping->lifetime);
    out.text("protocol", to_string(gateway.mapping->protocol));
    out.address("external", gateway.mapping->external);
    out.number("lease_s", static_cast<std::uint64_t>(lease.count()));
  } else if (gateway.failure) {
    out.text("failure", why_not_mapped(gateway));
  }
  return out.end();
}

std::string json_of(const DoctorReport& report) {
  const io::UdpCapabilities& can = report.socket;
  Object socket;
  socket.raw("gso", flag(can.gso)).raw("gro", flag(can.gro)).raw("ecn", flag(can.ecn));
  socket.raw("dual_stack", flag(can.dual_stack));
  socket.number("send_buffer", can.send_buffer).number("receive_buffer", can.receive_buffer);
  Object clock;
  clock.number("unix_s", static_cast<std::uint64_t>(report.clock.time.time_since_epoch().count()));
  clock.maybe("synchronised", report.clock.synchronised);
  const p2p::NetworkReport& network = report.network;
  Object out;
  out.text("event", "report").text("outlook", to_string(network.outlook()));
  out.raw("servers", list_of(network.servers, [](const auto& each) { return json_of(each); }));
  out.raw("ipv4", json_of(network.ipv4)).raw("ipv6", json_of(network.ipv6));
  out.raw("gateway", json_of(network.gateway)).raw("double_nat", flag(network.double_nat));
  out.raw("socket", socket.end()).raw("clock", clock.end());
  out.raw("findings", list_of(all_findings(report), [](const NetworkFinding& each) {
            Object finding;
            finding.text("topic", each.topic).text("text", each.text);
            return finding.text("advice", each.advice).end();
          }));
  return out.end();
}

}  // namespace

ClockReport read_clock() {
  ClockReport out{.time = io::unix_now()};
  timex state{};  // Changes nothing.
  const int status = ::adjtimex(&state);
  if (status >= 0) out.synchronised = status != TIME_ERROR && (state.status & STA_UNSYNC) == 0;
  return out;
}

void print_text(const DoctorReport& report) {
  for (const NetworkFinding& each : all_findings(report)) {
    say("{:<11} {}", each.topic, each.text);
    if (!each.advice.empty()) say("{:<11} -> {}", "", each.advice);
    if (each.topic != "UDP") continue;
    for (const ServerReport& server : report.network.servers) {
      const std::string took =
          server.round_trip ? fmt::format(" in {} ms", in_milliseconds(*server.round_trip)) : "";
      say("{:<11} {} {}{}", "", server.server.to_string(), word(server.outcome), took);
    }
  }
}

void print_json(const DoctorReport& report) { print_line(json_of(report)); }

int status_of(const p2p::NetworkReport& report) {
  switch (report.outlook()) {
    case NetworkOutlook::node:
      return kSuccess;
    case NetworkOutlook::client:
      return kClient;
    case NetworkOutlook::relay_only:
      return kRelayOnly;
    case NetworkOutlook::no_udp:
      break;
  }
  return kFailure;
}

}  // namespace qpeer::cli
