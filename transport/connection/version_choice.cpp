// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/connection/version_choice.hpp"

#include <algorithm>

namespace qpeer::transport {
namespace {

constexpr std::uint64_t kCryptoFrame = 0x06;

/// RFC 9368 §2.2 [rfc9368-2.2-1], RFC 9369 §4: these two, both ways, and no others.
bool are_compatible(Version a, Version b) { return is_supported(a) && is_supported(b); }

Result error(std::string_view reason) {
  return qpeer::fail(TransportErrorCode::version_negotiation_error, reason, kCryptoFrame);
}

}  // namespace

VersionChoice::VersionChoice(Side side, Version original, Version preferred,
                             const VersionOrder& spoken)
    : side_(side), original_(original), negotiated_(original), preferred_(preferred) {
  const auto add = [this](Version version) {
    if (is_supported(version) && !is_ours(version)) order_.push_back(version);
  };
  add(preferred);
  add(original);
  for (const Version each : spoken) add(each);
}

bool VersionChoice::is_ours(Version version) const {
  return std::ranges::find(order_, version) != order_.end();
}

// RFC 9368 §3 [rfc9368-3-2], [rfc9368-3-5]; RFC 9369 §4 [rfc9369-4-2].
wire::VersionInformation VersionChoice::information(Version reserved) const {
  wire::VersionInformation out(negotiated_);
  for (const Version each : order_) out.add_available(each);
  if (side_ == Side::client) out.add_available(original_);
  if (reserved != Version::negotiation) out.add_available(reserved);
  return out;
}

// RFC 9368 §2.1 [rfc9368-2.1-3], [rfc9368-2.1-4], [rfc9368-2.1-5].
std::optional<Version> VersionChoice::on_version_negotiation(const wire::VersionList& offered) {
  const auto chosen =
      std::ranges::find_if(order_, [&](Version each) { return offered.contains(each); });
  if (chosen == order_.end()) return std::nullopt;
  original_ = negotiated_ = *chosen;
  reacted_ = true;
  return original_;
}

// RFC 9369 §4.1: the first other version tells, unless the handshake has begun in the original one.
bool VersionChoice::may_switch_to(Version version) const {
  return side_ == Side::client && !settled_ && version != original_ && is_ours(version) &&
         are_compatible(original_, version);
}

void VersionChoice::switch_to(Version version) {
  negotiated_ = version;
  settled_ = true;
}

Result VersionChoice::on_information(const std::optional<wire::VersionInformation>& theirs) {
  if (theirs) return side_ == Side::server ? check_client(*theirs) : check_server(*theirs);
  // RFC 9368 §4 [rfc9368-4-11], [rfc9368-4-12].
  if (side_ == Side::server || (!reacted_ && negotiated_ == original_)) return {};
  // RFC 9368 §8 [rfc9368-8-1]: a server of version 1 may be older than Version Information.
  if (reacted_ && negotiated_ == Version::v1) {
    wire::VersionInformation implied(Version::v1);
    implied.add_available(Version::v1);
    return check_server(implied);
  }
  // RFC 9368 §4 [rfc9368-4-14].
  return error("the server did not confirm the version");
}

Result VersionChoice::check_client(const wire::VersionInformation& theirs) {
  // RFC 9368 §4 [rfc9368-4-8], [rfc9368-4-9], [rfc9368-4-10].
  if (theirs.chosen_version != original_) {
    return error("the client's Chosen Version is not the one in use");
  }
  // RFC 9368 §2.3 [rfc9368-2.3-1]: our own preference, where we have one; else what the client chose.
  if (theirs.is_available(preferred_) && are_compatible(original_, preferred_)) {
    negotiated_ = preferred_;
  }
  return {};
}

Result VersionChoice::check_server(const wire::VersionInformation& theirs) const {
  // RFC 9368 §4 [rfc9368-4-13].
  if (!is_ours(theirs.chosen_version)) return error("the server chose a version not offered");
  // RFC 9368 §4 [rfc9368-4-18]: nobody changed the versions in the packets' headers.
  if (theirs.chosen_version != negotiated_) {
    return error("the server's Chosen Version is not the one in use");
  }
  if (!reacted_) return {};
  // RFC 9368 §4 [rfc9368-4-15], [rfc9368-4-16], [rfc9368-4-17]: nobody forged the Version Negotiation
  // packet. With what the server says now we would have begun with the same version.
  const auto offered = theirs.available_versions();
  const auto would_be = std::ranges::find_if(
      order_, [&](Version each) { return theirs.is_available(each) || each == negotiated_; });
  if (offered.empty() || would_be == order_.end() || *would_be != original_) {
    return error("the Version Negotiation packet was not the server's");
  }
  return {};
}

}  // namespace qpeer::transport
