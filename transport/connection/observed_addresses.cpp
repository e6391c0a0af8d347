// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/connection/observed_addresses.hpp"

#include <algorithm>

#include "qpeer/transport/base/address_kind.hpp"

namespace qpeer::transport {

// [draft-ietf-quic-address-discovery-4.1-6]: only to who asked; [draft-ietf-quic-address-discovery-5-1],
// [draft-ietf-quic-address-discovery-5-4]: for each path, and each address on it.
void ObservedAddresses::on_remote_address(Instant now, const SocketAddress& address) {
  if (!ours_.provide || !theirs_.request || !address.valid()) return;
  outgoing_.offer(now, address);
  queue_frame();
}

void ObservedAddresses::queue_frame() {
  const auto address = outgoing_.take();
  if (!address) return;
  // [draft-ietf-quic-address-discovery-4.1-1]: a number for each; sent again it keeps its own.
  address_ = *address;
  ++next_sequence_number_;
  to_send_ = true;
  acknowledged_ = false;
}

Result ObservedAddresses::on_frame(Instant now, const wire::ObservedAddressFrame& frame) {
  // [draft-ietf-quic-address-discovery-4.1-7]
  if (!ours_.request) {
    return fail(TransportErrorCode::protocol_violation, "OBSERVED_ADDRESS was not requested",
                static_cast<std::uint64_t>(frame.type()));
  }
  // [draft-ietf-quic-address-discovery-4.1-2]: what is older, or sent again, says nothing new.
  if (largest_received_ && frame.sequence_number <= *largest_received_) return {};
  largest_received_ = frame.sequence_number;
  // What cannot be anybody's address is not ours.
  const SocketAddress& address = frame.address;
  if (address.port() == 0 || address.is_wildcard() || is_multicast(address)) return {};
  incoming_.offer(now, address);
  return {};
}

std::optional<SocketAddress> ObservedAddresses::poll_event() { return incoming_.take(); }

Instant ObservedAddresses::deadline() const {
  return std::min(outgoing_.deadline(), incoming_.deadline());
}

void ObservedAddresses::on_deadline(Instant now) {
  incoming_.release(now);
  outgoing_.release(now);
  queue_frame();
}

void ObservedAddresses::write_frames(PacketWriter& out) {
  if (!to_send_) return;
  const wire::ObservedAddressFrame frame{.sequence_number = next_sequence_number_ - 1,
                                         .address = address_};
  const SentFrame sent{
      .owner = FrameOwner::observed_addresses, .stream = {}, .offset = frame.sequence_number};
  to_send_ = !out.write(frame, sent);
}

// [draft-ietf-quic-address-discovery-4.1-4], [draft-ietf-quic-address-discovery-4.1-5]: lost ones are
// sent again while the peer is still seen there, which is the path that they were sent on.
void ObservedAddresses::on_fate(const SentFrame& frame, Fate fate) {
  if (frame.offset + 1 != next_sequence_number_) return;
  acknowledged_ = acknowledged_ || fate == Fate::acked;
  to_send_ = !acknowledged_ && (to_send_ || fate == Fate::lost);
}

}  // namespace qpeer::transport
