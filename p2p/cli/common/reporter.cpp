// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/cli/common/reporter.hpp"

#include <algorithm>
#include <chrono>
#include <variant>

#include "qpeer/p2p/cli/common/files.hpp"
#include "qpeer/p2p/protocol.hpp"

namespace qpeer::cli {

using p2p::Role;
using p2p::Verdict;

Json& Json::raw(std::string_view key, std::string_view value) {
  out_ += out_.empty() ? '{' : ',';
  out_ += json_string(key);
  out_ += ':';
  out_ += value;
  return *this;
}

Json& Json::milliseconds(std::string_view key, Duration value) {
  return raw(key, in_milliseconds(value));
}

std::string in_milliseconds(Duration time) {
  return fmt::format("{:.3f}", std::chrono::duration<double, std::milli>(time).count());
}

std::string printable(Bytes data, Newlines newlines) {
  constexpr std::size_t kMost = 4'000;
  const bool cut = data.size() > kMost;
  return visible(as_text(data.first(std::min(data.size(), kMost))), newlines) + (cut ? "..." : "");
}

std::string_view how(const p2p::LinkInfo& link, Role own) {
  if (own == Role::client || link.role == Role::client) return "as client";
  return link.we_dialled ? "dialled" : "dialled back";
}

void Reporter::print(std::string_view line) const {
  std::string text(line);
  if (lost_ > 0) {
    const std::string said = std::to_string(lost_) + " lines were lost: they were not read in time";
    text = (json_ ? Json{"lines_lost"}.number("lines", lost_).end() : said) + '\n' + text;
  }
  lost_ = print_line(text, WhenFull::lose) ? 0 : lost_ + 1;
}

void Reporter::listening(const p2p::AsyncNode& node) const {
  const std::string address = node.local_address().to_string();
  const p2p::PeerAddress contact = node.contact();
  Json json{"listening"};
  json.text("address", address)
      .text("id", node.id().to_string())
      .text("contact", contact.to_string());
  json.text("ticket", contact.to_ticket());
  tell(json, "listening on {}, as {}", address, contact.to_string());
}

void Reporter::ticket(const std::string& ticket) const {
  tell(Json{"ticket"}.text("ticket", ticket), "ticket {}", ticket);
}

void Reporter::link_up(const p2p::AsyncNodeBase& peer, const p2p::LinkUp& event) const {
  p2p::LinkInfo link;
  link.role = event.role;
  for (const p2p::LinkInfo& one : peer.links()) {
    if (one.peer == event.peer && !one.further) link = one;
  }
  const std::string id = event.peer.to_string();
  const std::string address = event.address.to_string();
  Json json{"link_up"};
  json.text("peer", id).text("role", to_string(event.role)).text("address", address);
  json.text("how", how(link, own_)).milliseconds("handshake_ms", link.stats.handshake_time);
  json.milliseconds("rtt_ms", link.stats.smoothed_rtt);
  tell(json, "link up: {} {}@{}, {}, handshake {} ms, round trip {} ms", to_string(event.role), id,
       address, how(link, own_), in_milliseconds(link.stats.handshake_time),
       in_milliseconds(link.stats.smoothed_rtt));
}

void Reporter::port_mapped(const p2p::PortMapped& event) const {
  const std::string address = event.external.to_string();
  Json json{"port_mapped"};
  json.text("address", address).text("protocol", event.protocol);
  json.milliseconds("lifetime_ms", event.lifetime);
  tell(json.raw("double_nat", event.double_nat ? "true" : "false"),
       "the router lets strangers through at {} ({}){}", address, event.protocol,
       event.double_nat ? ", but another NAT is behind it" : "");
}

void Reporter::on_event(const p2p::AsyncNodeBase& peer, const p2p::NodeEvent& event) const {
  const auto verdict = [&](std::string_view kind, const PeerId& other, Verdict value,
                           const SocketAddress& at, bool by_strangers) {
    Json json{kind};
    json.text("peer", other.to_string()).text("verdict", to_string(value));
    json.raw("reachable", value == Verdict::reachable ? "true" : "false");
    json.raw("by_strangers", by_strangers ? "true" : "false");
    return json.text("address", at.to_string());
  };
  const auto words = [](Verdict value, bool by_strangers) {
    const bool unproved = value == Verdict::reachable && !by_strangers;
    return std::string(to_string(value)) + (unproved ? ", by strangers perhaps" : "");
  };
  if (const auto* up = std::get_if<p2p::LinkUp>(&event)) {
    link_up(peer, *up);
  } else if (const auto* down = std::get_if<p2p::LinkDown>(&event)) {
    const std::string id = down->peer.to_string();
    Json json{"link_down"};
    json.text("peer", id).text("why", visible(down->why));
    tell(json.raw("will_retry", down->will_retry ? "true" : "false"), "link down: {}: {}{}", id,
         visible(down->why), down->will_retry ? "; trying again" : "");
  } else if (const auto* us = std::get_if<p2p::ReachabilityVerdict>(&event)) {
    tell(verdict("reachability_verdict", us->by, us->verdict, us->address, us->by_strangers),
         "verdict on us at {}: {}, says {}", us->address.to_string(),
         words(us->verdict, us->by_strangers), us->by.to_string());
  } else if (const auto* them = std::get_if<p2p::PeerVerdict>(&event)) {
    tell(verdict("peer_verdict", them->peer, them->verdict, them->address, them->by_strangers),
         "verdict on {} at {}: {}", them->peer.to_string(), them->address.to_string(),
         words(them->verdict, them->by_strangers));
  } else if (const auto* mapped = std::get_if<p2p::PortMapped>(&event)) {
    port_mapped(*mapped);
  } else if (const auto* unmapped = std::get_if<p2p::PortMapFailed>(&event)) {
    Json json{"port_map_failed"};
    json.text("why", unmapped->why);
    tell(json.raw("double_nat", unmapped->double_nat ? "true" : "false"),
         "the router maps no port to us: {}", unmapped->why);
  } else if (const auto* changed = std::get_if<p2p::NetworkChanged>(&event)) {
    const std::string local = changed->local.valid() ? changed->local.to_string() : "";
    tell(Json{"network_changed"}.text("address", local), "the network changed; our address now: {}",
         local.empty() ? "none to the internet, as far as is known" : local);
  } else if (const auto* shared = std::get_if<p2p::KeyInUse>(&event)) {
    key_in_use(*shared);
  } else if (const auto* refused = std::get_if<p2p::DialRefused>(&event)) {
    dial_refused(*refused);
  } else if (const auto* joined = std::get_if<p2p::Bootstrapped>(&event)) {
    const std::string id = joined->peer.to_string();
    const std::string address = joined->address.to_string();
    Json json{"bootstrapped"};
    json.text("peer", id).text("address", address).milliseconds("took_ms", joined->took);
    json.number("tried", joined->tried).number("early_bytes", joined->early_bytes);
    const std::string early = joined->early_bytes == 0
                                  ? ""
                                  : ", " + std::to_string(joined->early_bytes) +
                                        " bytes of the request in the first flight";
    tell(json, "joined through {}@{} in {} ms{}", id, address, in_milliseconds(joined->took),
         early);
  } else if (const auto* cut = std::get_if<p2p::IncomingInterrupted>(&event)) {
    const std::string id = cut->from.to_string();
    Json json{"interrupted"};
    json.text("peer", id).number("bytes", cut->bytes).text("why", cut->why);
    tell(json, "interrupted after {} bytes from {}: {}", cut->bytes, id, cut->why);
  } else if (const auto* own = std::get_if<p2p::OwnAddressChanged>(&event)) {
    const std::string address = own->address ? own->address->to_string() : "unknown";
    tell(Json{"own_address"}.text("address", address), "others see us at {}", address);
  }
}

// That of our own key also when quiet: the user has to do something about it.
void Reporter::key_in_use(const p2p::KeyInUse& event) const {
  const std::string id = event.peer.to_string();
  const std::string address = event.address.to_string();
  Json json{"key_in_use"};
  json.text("peer", id).raw("ours", event.by ? "true" : "false").text("address", address);
  if (!event.by) {
    return tell(json, "another node, at {}, uses the key of {}: it is refused", address, id);
  }
  const std::string by = event.by->to_string();
  const std::string sentence =
      event.refused_us
          ? fmt::format("another node uses our key: {}@{} refuses us", by, address)
          : fmt::format("another node, at {}, uses our key: {} refuses it", address, by);
  complain(sentence);
  json.text("by", by).raw("refused_us", event.refused_us ? "true" : "false");
  if (json_) print(json.end());
  if (log_ != nullptr) log_->write(LogLevel::warning, json.end(), sentence);
}

void Reporter::dial_refused(const p2p::DialRefused& event) const {
  const std::string address = event.address.to_string();
  const std::string id = event.peer ? event.peer->to_string() + '@' : "";
  Json json{"dial_refused"};
  json.text("address", address).text("reason", to_string(event.reason));
  if (event.peer) json.text("peer", event.peer->to_string());
  json.text("why", visible(event.why)).number("unreported", event.unreported);
  tell(json, "refused {}{}: {}{}{}", id, address, to_string(event.reason),
       event.why.empty() ? "" : " (" + visible(event.why) + ")",
       event.unreported == 0 ? "" : fmt::format("; {} more before", event.unreported));
}

void Reporter::message(const p2p::Message& message) const {
  const std::string id = message.from.to_string();
  const std::string text = printable(message.data);
  Json json{"message"};
  json.text("peer", id).number("bytes", message.data.size()).text("text", text);
  tell_at(LogLevel::debug, json, "message from {}: {}", id, text);
}

void Reporter::request(const p2p::IncomingRequest& request) const {
  const std::string id = request.from().to_string();
  const std::string text = printable(request.data());
  tell_at(LogLevel::debug, Json{"request"}.text("peer", id).text("text", text),
          "request from {}: {}", id, text);
}

void Reporter::reply(const PeerId& from, Bytes answer, Duration took) const {
  const std::string text = printable(answer, Newlines::kept);
  Json json{"reply"};
  json.text("peer", from.to_string()).text("text", text);
  print_line(json_ ? json.milliseconds("took_ms", took).end() : text);
}

void Reporter::received(const Received& file) const {
  const std::string id = file.from.to_string();
  if (!file.failure.empty()) {
    const std::string sentence =
        fmt::format("{}: {}: {}; nothing of it was kept", id, file.name, file.failure);
    complain(sentence);
    Json json{"not_stored"};
    json.text("peer", id).text("name", file.name).number("size", file.size);
    json.text("why", file.failure);
    if (json_) print(json.end());
    if (log_ != nullptr) log_->write(LogLevel::warning, json.end(), sentence);
    return;
  }
  Json json{"stored"};
  json.text("peer", id).text("name", file.name).number("size", file.size);
  json.text("sha256", hex(file.sha256));
  tell(json, "stored {} {} sha256={}", file.name, file.size, hex(file.sha256));
}

void Reporter::note(std::string_view kind, const std::string& sentence) const {
  tell(Json{kind}.text("text", visible(sentence)), "{}", visible(sentence));
}

void Reporter::trouble(std::string_view kind, const std::string& sentence) const {
  complain(sentence);
  const Json json = Json{kind}.text("text", visible(sentence));
  if (json_) print(json.end());
  if (log_ != nullptr) log_->write(LogLevel::warning, json.end(), sentence);
}

}  // namespace qpeer::cli
