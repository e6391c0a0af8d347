// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/tests/sim/nat_gateway.hpp"

#include <algorithm>
#include <utility>

namespace qpeer::sim {
namespace {

constexpr u8 kResponse = 0x80;
constexpr std::uint32_t kForever = 0xffff'ffff;

/// RFC 6886 §3.3, §3.5.
enum class PmpOpcode : u8 { external_address = 0, map_udp = 1 };
enum class PmpResult : std::uint16_t {
  success = 0,
  unsupported_version = 1,
  not_authorized = 2,
  out_of_resources = 4,
  unsupported_opcode = 5,
};

/// RFC 6887 §7.1, §7.2, §11.1.
constexpr u8 kPcpVersion = 2;
constexpr u8 kUdp = 17;
constexpr std::size_t kPcpHeader = 24;
constexpr std::size_t kPcpMap = 36;
constexpr std::size_t kMaxPcp = 1'100;
constexpr std::uint32_t kLongError = 30 * 60;
constexpr std::uint32_t kShortError = 30;
enum class PcpOpcode : u8 { announce = 0, map = 1 };
enum PcpResult : u8 {
  kSuccess = 0,
  kUnsupportedVersion = 1,
  kNotAuthorized = 2,
  kMalformedRequest = 3,
  kUnsupportedOpcode = 4,
  kUnsupportedOption = 5,
  kMalformedOption = 6,
  kNoResources = 8,
  kUnsupportedProtocol = 9,
  kAddressMismatch = 12,
};

/// An IPv4 address as an IPv4-mapped one. RFC 6887 §5.
std::array<u8, 16> pcp_octets(const SocketAddress& address) {
  std::array<u8, 16> out{};
  if (address.is_ipv4()) out[10] = out[11] = 0xff;
  copy(address.octets(), MutableBytes(out).last(address.octets().size()));
  return out;
}

/// What is wrong with the options behind a request, if anything. RFC 6887 §7.3.
u8 check_options(Reader in) {
  while (!in.empty()) {
    const u8 code = in.byte();
    in.byte();  // Reserved.
    const std::size_t size = in.u16();
    in.bytes((size + 3) / 4 * 4);
    if (!in.ok()) return kMalformedOption;
    if (code < 128) return kUnsupportedOption;
  }
  return kSuccess;
}

}  // namespace

std::vector<u8> NatGateway::answer(Instant now, NatBox& box, const SocketAddress& client,
                                   Bytes request) {
  if (request.size() < 2 || request[1] >= kResponse) return {};
  const bool is_pmp = request[0] == 0;
  if (config_.nat_pmp && (is_pmp || !config_.pcp)) return answer_nat_pmp(now, box, client, request);
  return config_.pcp ? answer_pcp(now, box, client, request) : std::vector<u8>{};
}

void NatGateway::restart(Instant now) {
  epoch_ = now;
  leases_.clear();
}

std::vector<std::vector<u8>> NatGateway::announcements(Instant now, const NatBox& box,
                                                       bool ipv4) const {
  std::vector<std::vector<u8>> out;
  if (config_.nat_pmp && ipv4) out.push_back(nat_pmp_address(now, box));
  if (config_.pcp) {
    const std::array<u8, kPcpHeader> announce{kPcpVersion};
    out.push_back(pcp_response(now, announce, kSuccess, 0));
  }
  return out;
}

std::uint32_t NatGateway::seconds_since_epoch(Instant now) const {
  return static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::seconds>(now - epoch_).count());
}

// --- mappings ------------------------------------------------------------------------------------

std::optional<NatGateway::Grant> NatGateway::map(Instant now, NatBox& box,
                                                 const SocketAddress& inside,
                                                 std::uint16_t suggested, std::uint32_t lifetime,
                                                 std::optional<Nonce> nonce) {
  const auto present = box.forwarded(now, inside);
  if (!present) leases_.erase(inside);
  if (present && !leases_.contains(inside)) return Grant{*present, kForever};  // Of the owner.
  const auto granted =
      std::clamp(std::chrono::seconds(lifetime), config_.min_lifetime, config_.max_lifetime);
  const Instant until = now + granted;
  const auto try_port = [&](std::uint32_t port) {
    // RFC 6887 §11.3: never those of PCP itself.
    const bool own = port == kGatewayPort || port == kAnnouncements4.port();
    return !own && box.forward(now, inside, static_cast<std::uint16_t>(port), until);
  };
  bool done = false;
  if (present) done = try_port(present->port());
  if (!done && suggested != 0 && !config_.ignores_suggestion) done = try_port(suggested);
  constexpr std::uint32_t kLowest = 1'024;
  for (std::uint32_t port =
           std::max<std::uint32_t>(inside.port(), kLowest) + (config_.ignores_suggestion ? 1 : 0);
       !done && port <= 0xffff; ++port) {
    done = try_port(port);
  }
  if (!done) return std::nullopt;
  leases_.insert_or_assign(inside, Lease{.nonce = nonce, .until = until});
  return Grant{*box.forwarded(now, inside), static_cast<std::uint32_t>(granted.count())};
}

bool NatGateway::unmap(Instant now, NatBox& box, const SocketAddress& inside) {
  if (!box.forwarded(now, inside)) return true;  // RFC 6886 §3.4: as if it had been there.
  if (leases_.erase(inside) == 0) return false;
  box.remove_forward(inside);
  return true;
}

// --- NAT-PMP -------------------------------------------------------------------------------------

std::vector<u8> NatGateway::nat_pmp_address(Instant now, const NatBox& box) const {
  std::vector<u8> out(12);
  Writer writer(out);
  writer.byte(0);
  writer.byte(kResponse);
  writer.u16(0);
  writer.u32(seconds_since_epoch(now));
  copy(box.outside().octets(), writer.tail());
  return out;
}

std::vector<u8> NatGateway::answer_nat_pmp(Instant now, NatBox& box, const SocketAddress& client,
                                           Bytes request) {
  std::vector<u8> out(request.begin(), request.end());
  const auto finish = [&](PmpResult result) {
    out.resize(std::max<std::size_t>(out.size(), 8));
    out[1] |= kResponse;
    Writer writer(MutableBytes(out).subspan(2));
    writer.u16(std::to_underlying(result));
    writer.u32(seconds_since_epoch(now));
    return out;
  };
  if (request[0] != 0) {  // RFC 6886 §3.5.
    out.assign(8, 0);
    return finish(PmpResult::unsupported_version);
  }
  if (request[1] == std::to_underlying(PmpOpcode::external_address)) {
    if (!config_.refuses) return nat_pmp_address(now, box);
    out.assign(12, 0);
    return finish(PmpResult::not_authorized);
  }
  if (request[1] != std::to_underlying(PmpOpcode::map_udp)) {
    return finish(PmpResult::unsupported_opcode);
  }
  Reader in(request.subspan(4 < request.size() ? 4 : request.size()));
  const std::uint16_t internal = in.u16();
  const std::uint16_t suggested = in.u16();
  const std::uint32_t lifetime = in.u32();
  if (!in.ok() || !client.is_ipv4()) return {};
  // RFC 6886 §3.3: opcode, result, epoch, internal port, external port, lifetime.
  out.assign(16, 0);
  out[1] = request[1];
  Writer writer(MutableBytes(out).subspan(8));
  writer.u16(internal);
  if (config_.refuses) return finish(PmpResult::not_authorized);
  if (lifetime == 0) {
    bool all = true;
    std::vector<SocketAddress> ended;
    for (const auto& [inside, lease] : leases_) {
      if (inside.same_host(client) && internal == 0) ended.push_back(inside);
    }
    if (internal != 0) ended.push_back(client.with_port(internal));
    for (const SocketAddress& inside : ended) all = unmap(now, box, inside) && all;
    return finish(all ? PmpResult::success : PmpResult::not_authorized);
  }
  const auto grant = map(now, box, client.with_port(internal), suggested, lifetime, std::nullopt);
  if (!grant) return finish(PmpResult::out_of_resources);
  writer.u16(grant->external.port());
  writer.u32(grant->lifetime);
  return finish(PmpResult::success);
}

// --- PCP -----------------------------------------------------------------------------------------

std::vector<u8> NatGateway::pcp_response(Instant now, Bytes request, u8 result,
                                         std::uint32_t lifetime) const {
  const Bytes kept = request.first(std::min(request.size(), kMaxPcp));
  std::vector<u8> out(kept.begin(), kept.end());
  out.resize(std::max(kPcpHeader, (out.size() + 3) / 4 * 4));
  out[0] = kPcpVersion;
  out[1] |= kResponse;
  out[2] = 0;
  out[3] = result;
  Writer writer(MutableBytes(out).subspan(4));
  writer.u32(lifetime);
  writer.u32(seconds_since_epoch(now));
  std::fill_n(out.begin() + 12, 12, u8{0});
  return out;
}

// In the order of RFC 6887 §8.2.
std::vector<u8> NatGateway::answer_pcp(Instant now, NatBox& box, const SocketAddress& client,
                                       Bytes request) {
  const auto refuse = [&](u8 result) { return pcp_response(now, request, result, kLongError); };
  if (request[0] != kPcpVersion) return refuse(kUnsupportedVersion);
  if (request.size() < kPcpHeader) return {};
  if (request.size() > kMaxPcp || request.size() % 4 != 0) return refuse(kMalformedRequest);
  if (!equal(request.subspan(8, 16), pcp_octets(client))) return refuse(kAddressMismatch);
  if (request[1] == std::to_underlying(PcpOpcode::announce)) {
    const u8 wrong = check_options(Reader(request.subspan(kPcpHeader)));
    if (wrong != kSuccess) return refuse(wrong);
    return pcp_response(now, request.first(kPcpHeader), kSuccess, 0);
  }
  if (request[1] != std::to_underlying(PcpOpcode::map)) return refuse(kUnsupportedOpcode);
  if (request.size() < kPcpHeader + kPcpMap) return refuse(kMalformedRequest);
  const u8 wrong = check_options(Reader(request.subspan(kPcpHeader + kPcpMap)));
  if (wrong != kSuccess) return refuse(wrong);
  return answer_pcp_map(now, box, client, request);
}

// RFC 6887 §11.3, §15.1.
std::vector<u8> NatGateway::answer_pcp_map(Instant now, NatBox& box, const SocketAddress& client,
                                           Bytes request) {
  const std::uint32_t lifetime = Reader(request.subspan(4)).u32();
  Reader in(request.subspan(kPcpHeader));
  Nonce nonce{};
  copy(in.bytes(nonce.size()), nonce);
  const u8 protocol = in.byte();
  in.bytes(3);
  const SocketAddress inside = client.with_port(in.u16());
  const std::uint16_t suggested = in.u16();
  const auto refuse = [&](u8 result, std::uint32_t time) {
    return pcp_response(now, request, result, time);
  };
  if (protocol == 0 && inside.port() != 0) return refuse(kMalformedRequest, kLongError);
  if (protocol != kUdp || inside.port() == 0) return refuse(kUnsupportedProtocol, kLongError);
  if (config_.refuses) return refuse(kNotAuthorized, kLongError);

  const auto at = leases_.find(inside);
  if (at != leases_.end() && at->second.until > now && at->second.nonce != nonce) {
    const auto left = std::chrono::duration_cast<std::chrono::seconds>(at->second.until - now);
    return refuse(kNotAuthorized, static_cast<std::uint32_t>(left.count()));
  }
  Grant grant{.external = {}, .lifetime = 0};
  if (lifetime == 0) {
    if (!unmap(now, box, inside)) return refuse(kNotAuthorized, kLongError);
  } else {
    const auto granted = map(now, box, inside, suggested, lifetime, nonce);
    if (!granted) return refuse(kNoResources, kShortError);
    grant = *granted;
  }
  std::vector<u8> out =
      pcp_response(now, request.first(kPcpHeader + kPcpMap), kSuccess, grant.lifetime);
  if (!grant.external.valid()) return out;
  Writer writer(MutableBytes(out).subspan(kPcpHeader + 18));
  writer.u16(grant.external.port());
  copy(pcp_octets(grant.external), writer.tail());
  return out;
}

}  // namespace qpeer::sim
