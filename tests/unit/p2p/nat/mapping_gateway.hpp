// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A gateway that speaks PCP and NAT-PMP, and a PortMapper in its network, in virtual time.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "qpeer/p2p/nat/port_mapper.hpp"
#include "qpeer/tests/sim/seeded_random.hpp"

namespace qpeer::p2p::test {

/// What it grants, and what it was asked. It has one mapping at most.
struct MappingGateway {
  bool pcp = false;
  bool nat_pmp = false;
  /// Whether one that knows NAT-PMP alone says so to PCP.
  bool says_version = true;
  std::uint16_t port = 0;  ///< What is granted; 0: what is suggested.
  std::uint32_t max_lifetime = 86'400;
  PcpResult pcp_result = PcpResult::success;
  NatPmpResult nat_pmp_result = NatPmpResult::success;
  std::uint32_t error_lifetime = 30;
  std::uint32_t grants_lifetime = 0;  ///< Whatever is asked for, unless 0.
  u8 other_version = 0;               ///< Of PCP, the only one that it knows.
  bool answers_deletions = true;
  SocketAddress address = SocketAddress::ipv4({192, 168, 1, 1}, 0);
  SocketAddress external = SocketAddress::ipv4({203, 0, 113, 7}, 0);
  Instant booted{};

  std::size_t pcp_requests = 0;
  std::size_t nat_pmp_requests = 0;
  std::size_t deletions = 0;
  bool has_mapping = false;
  SocketAddress client{};
  SocketAddress suggested{};
  std::uint16_t suggested_port = 0;

  [[nodiscard]] std::size_t requests() const { return pcp_requests + nat_pmp_requests; }

  template <class Message>
  static std::vector<u8> encoded(const Message& message) {
    std::vector<u8> out(kPcpMapSize);
    Writer writer{out};
    message.encode(writer);
    out.resize(writer.size());
    return out;
  }
  [[nodiscard]] std::uint32_t epoch(Instant now) const {
    return static_cast<std::uint32_t>(
        std::chrono::duration_cast<std::chrono::seconds>(now - booted).count());
  }
  void reboot(Instant now) {
    booted = now;
    has_mapping = false;
  }
  [[nodiscard]] std::uint32_t lifetime_for(std::uint32_t asked) const {
    if (asked == 0) return 0;
    return grants_lifetime != 0 ? grants_lifetime : std::min(asked, max_lifetime);
  }

  /// The answer that grants it.
  [[nodiscard]] PcpResponse grant(const PcpMapRequest& request, Instant now = {}) const {
    PcpResponse out{.opcode = PcpOpcode::map,
                    .lifetime = lifetime_for(request.lifetime),
                    .epoch = epoch(std::max(now, booted)),
                    .mapping = request.mapping};
    const std::uint16_t granted = port != 0 ? port : request.mapping.external.port();
    if (request.lifetime != 0) out.mapping.external = external.with_port(granted);
    return out;
  }

  std::optional<std::vector<u8>> answer(Instant now, Bytes request) {
    if (const auto map = PcpMapRequest::decode(request)) return answer_pcp(now, *map);
    if (const auto other = NatPmpRequest::decode(request)) return answer_nat_pmp(now, *other);
    ADD_FAILURE() << "neither PCP nor NAT-PMP";
    return std::nullopt;
  }

  std::optional<std::vector<u8>> answer_pcp(Instant now, const PcpMapRequest& request) {
    ++pcp_requests;
    if (other_version != 0) return std::vector<u8>{other_version, 0x81, 0, 1};
    if (!pcp) {
      if (!nat_pmp || !says_version) return std::nullopt;
      return std::vector<u8>{0, 0, 0, 1, 0, 0, 0, 9};
    }
    client = request.client.with_port(request.mapping.internal_port);
    suggested = request.mapping.external;
    suggested_port = suggested.port();
    PcpResponse out = grant(request, now);
    if (pcp_result != PcpResult::success) {
      out = {.opcode = PcpOpcode::map,
             .result = pcp_result,
             .lifetime = error_lifetime,
             .epoch = epoch(now),
             .mapping = request.mapping};
    }
    return finish(request.lifetime, encoded(out));
  }

  std::optional<std::vector<u8>> answer_nat_pmp(Instant now, const NatPmpRequest& request) {
    ++nat_pmp_requests;
    if (!nat_pmp) return std::nullopt;
    NatPmpResponse out{.opcode = request.opcode, .result = nat_pmp_result, .epoch = epoch(now)};
    if (request.opcode == NatPmpOpcode::external_address) {
      out.external_address = external;
      return encoded(out);
    }
    suggested_port = request.external_port;
    out.internal_port = request.internal_port;
    out.lifetime = lifetime_for(request.lifetime);
    if (out.lifetime != 0) out.external_port = port != 0 ? port : request.external_port;
    return finish(request.lifetime, encoded(out));
  }

  std::optional<std::vector<u8>> finish(std::uint32_t lifetime, std::vector<u8> bytes) {
    has_mapping = lifetime != 0;
    if (lifetime == 0) ++deletions;
    if (lifetime == 0 && !answers_deletions) return std::nullopt;
    return bytes;
  }
};

/// The two, with a round trip of 2 ms.
struct Mapping {
  static constexpr Instant kStart{1'000s};
  static constexpr auto kInternal = SocketAddress::ipv4({192, 168, 1, 2}, 4433);

  explicit Mapping(MappingGateway behind, const SocketAddress& own = kInternal,
                   std::uint64_t seed = 1)
      : gateway(behind), random(seed), losses(seed), mapper(random), internal(own) {
    gateway.address = gateway.address.with_port(kGatewayPort);
    gateway.booted = kStart - 1h;
    mapper.start(now, gateway.address, internal);
  }

  MappingGateway gateway;
  sim::SeededRandom random;
  sim::SeededRandom losses;
  PortMapper mapper;
  SocketAddress internal;
  Instant now = kStart;
  double loss = 0;
  std::optional<SocketAddress> answers_from;
  std::vector<Duration> pcp_sent_at;  ///< Since kStart.
  std::vector<Duration> nat_pmp_sent_at;
  std::vector<PcpNonce> nonces;

  [[nodiscard]] SocketAddress external(std::uint16_t port) const {
    return gateway.external.with_port(port);
  }

  /// Lets time go on.
  void run_for(Duration duration) {
    const Instant end = now + duration;
    for (;;) {
      poll();
      Instant next = std::min(mapper.next_deadline(), end);
      if (!on_their_way.empty()) next = std::min(next, on_their_way.front().at);
      now = std::max(now, next);
      while (!on_their_way.empty() && on_their_way.front().at <= now) {
        auto bytes = std::move(on_their_way.front().bytes);
        on_their_way.erase(on_their_way.begin());
        deliver(bytes);
      }
      if (mapper.next_deadline() <= now) {
        mapper.on_deadline(now);
        EXPECT_TRUE(mapper.consistent());
      }
      if (now >= end) break;
    }
    poll();
  }

  std::optional<PortMapperEvent> take_event() { return mapper.poll_event(); }
  /// The mapping that the newest event told of.
  PortMapping mapped() {
    const auto event = take_event();
    const auto* out = event ? std::get_if<PortMapping>(&*event) : nullptr;
    EXPECT_NE(out, nullptr);
    return out == nullptr ? PortMapping{} : *out;
  }

  template <class Message>
  bool receive(const Message& message) {
    auto bytes = MappingGateway::encoded(message);
    return deliver(bytes);
  }
  /// What a gateway says of itself, by each protocol that it speaks.
  bool announce() {
    bool taken = true;
    if (gateway.pcp) taken = receive(PcpResponse{.epoch = gateway.epoch(now)});
    if (gateway.nat_pmp) {
      taken = receive(NatPmpResponse{.epoch = gateway.epoch(now),
                                     .external_address = gateway.external}) &&
              taken;
    }
    return taken;
  }

 private:
  struct OnItsWay {
    Instant at;
    std::vector<u8> bytes;
  };
  std::vector<OnItsWay> on_their_way;

  bool deliver(std::vector<u8>& bytes) {
    const bool taken =
        mapper.on_response(now, answers_from.value_or(gateway.address), Bytes(bytes));
    EXPECT_TRUE(mapper.consistent());
    return taken;
  }

  void poll() {
    std::array<u8, 1'500> storage{};
    TransmitBuffer out{.storage = storage};
    while (const auto transmit = mapper.poll_transmit(now, out)) {
      EXPECT_TRUE(mapper.consistent());
      EXPECT_EQ(transmit->path.remote, gateway.address);
      const Bytes request = Bytes(storage).first(transmit->size);
      const bool is_pcp = request.size() == kPcpMapSize;
      (is_pcp ? pcp_sent_at : nat_pmp_sent_at).push_back(now - kStart);
      if (is_pcp) nonces.push_back(PcpMapRequest::decode(request).value().mapping.nonce);
      if (losses.chance(loss)) continue;
      if (auto bytes = gateway.answer(now, request)) {
        if (!losses.chance(loss)) on_their_way.push_back({.at = now + 2ms, .bytes = *bytes});
      }
    }
  }
};

}  // namespace qpeer::p2p::test
