// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/io/udp_cmsg.hpp"

// Before the kernel's header, which needs its timespec.
#include <ctime>

#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <array>
#include <cstring>

namespace qpeer::io {
namespace {

static_assert(sizeof(ControlBuffer) >=
              CMSG_SPACE(sizeof(in6_pktinfo)) + CMSG_SPACE(sizeof(in_pktinfo)) +
                  2 * CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(std::uint16_t)));
static_assert(alignof(ControlBuffer) >= alignof(cmsghdr));

constexpr u8 kEcnMask = 0x03;

bool is_link_local(const std::array<u8, 16>& octets) {
  return octets[0] == 0xfe && (octets[1] & 0xc0) == 0x80;
}

std::array<u8, 16> mapped(Bytes octets4) {
  std::array<u8, 16> out{};
  out[10] = out[11] = 0xff;
  std::copy(octets4.begin(), octets4.end(), out.begin() + 12);
  return out;
}

std::array<u8, 16> octets6(const SocketAddress& address) {
  if (address.is_ipv4()) return mapped(address.octets());
  std::array<u8, 16> out{};
  std::copy(address.octets().begin(), address.octets().end(), out.begin());
  return out;
}

template <class T>
T read_as(const cmsghdr* header) {
  T out{};
  std::memcpy(&out, CMSG_DATA(header), std::min(sizeof out, header->cmsg_len - CMSG_LEN(0)));
  return out;
}

SocketAddress from_packet_info(const in_pktinfo& info) {
  std::array<u8, 4> octets{};
  std::memcpy(octets.data(), &info.ipi_addr, 4);
  return SocketAddress::ipv4(octets, 0);
}

SocketAddress from_packet_info(const in6_pktinfo& info) {
  std::array<u8, 16> octets{};
  std::memcpy(octets.data(), &info.ipi6_addr, 16);
  return SocketAddress::ipv6(octets, 0, is_link_local(octets) ? info.ipi6_ifindex : 0);
}

/// Appends control messages to those a msghdr has.
class ControlWriter {
 public:
  ControlWriter(ControlBuffer& buffer, msghdr& message) : message_(message) {
    message_.msg_control = buffer.bytes;
    message_.msg_controllen = 0;
  }
  template <class T>
  void put(int level, int type, const T& value) {
    auto* header = reinterpret_cast<cmsghdr*>(static_cast<u8*>(message_.msg_control) +
                                              message_.msg_controllen);
    header->cmsg_level = level;
    header->cmsg_type = type;
    header->cmsg_len = CMSG_LEN(sizeof value);
    std::memcpy(CMSG_DATA(header), &value, sizeof value);
    message_.msg_controllen += CMSG_SPACE(sizeof value);
  }

 private:
  msghdr& message_;
};

}  // namespace

std::uint32_t to_sockaddr(const SocketAddress& address, SocketFamily socket,
                          sockaddr_storage& out) {
  if (!address.valid()) return 0;
  // The kernel says ENETUNREACH, which may pass, where this never will.
  if (socket == SocketFamily::ipv6 && address.is_ipv4()) return 0;
  if (socket != SocketFamily::ipv4) {
    sockaddr_in6 in6{};
    in6.sin6_family = AF_INET6;
    in6.sin6_port = htons(address.port());
    in6.sin6_scope_id = address.scope_id();
    std::memcpy(&in6.sin6_addr, octets6(address).data(), 16);
    std::memcpy(&out, &in6, sizeof in6);
    return sizeof in6;
  }
  if (!address.is_ipv4()) return 0;
  sockaddr_in in4{};
  in4.sin_family = AF_INET;
  in4.sin_port = htons(address.port());
  std::memcpy(&in4.sin_addr, address.octets().data(), 4);
  std::memcpy(&out, &in4, sizeof in4);
  return sizeof in4;
}

SocketAddress from_sockaddr(const sockaddr_storage& in) {
  if (in.ss_family == AF_INET) {
    sockaddr_in in4{};
    std::memcpy(&in4, &in, sizeof in4);
    std::array<u8, 4> octets{};
    std::memcpy(octets.data(), &in4.sin_addr, 4);
    return SocketAddress::ipv4(octets, ntohs(in4.sin_port));
  }
  if (in.ss_family == AF_INET6) {
    sockaddr_in6 in6{};
    std::memcpy(&in6, &in, sizeof in6);
    std::array<u8, 16> octets{};
    std::memcpy(octets.data(), &in6.sin6_addr, 16);
    return SocketAddress::ipv6(octets, ntohs(in6.sin6_port), in6.sin6_scope_id);
  }
  return {};
}

ReceivedControl read_control(msghdr& message) {
  ReceivedControl out;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_TOS) {
      out.ecn = Ecn{static_cast<u8>(read_as<u8>(header) & kEcnMask)};  // One byte, not an int.
    } else if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO) {
      out.local = from_packet_info(read_as<in_pktinfo>(header));
    } else if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_TCLASS) {
      out.ecn = Ecn{static_cast<u8>(read_as<int>(header) & kEcnMask)};
    } else if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_PKTINFO) {
      out.local = from_packet_info(read_as<in6_pktinfo>(header));
    } else if (header->cmsg_level == IPPROTO_UDP && header->cmsg_type == UDP_GRO) {
      out.segment_size = static_cast<std::size_t>(std::max(0, read_as<int>(header)));
    }
  }
  return out;
}

int read_icmp_error(msghdr& message) {
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    const bool is_error = (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_RECVERR) ||
                          (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_RECVERR);
    if (!is_error) continue;
    const auto error = read_as<sock_extended_err>(header);
    const bool is_icmp =
        error.ee_origin == SO_EE_ORIGIN_ICMP || error.ee_origin == SO_EE_ORIGIN_ICMP6;
    return is_icmp ? static_cast<int>(error.ee_errno) : 0;
  }
  return 0;
}

void write_control(const SendControl& control, ControlBuffer& buffer, msghdr& message) {
  ControlWriter out{buffer, message};
  if (control.source.valid()) {
    if (control.to_ipv4) {
      in_pktinfo info{};
      std::memcpy(&info.ipi_spec_dst, control.source.octets().data(), 4);
      out.put(IPPROTO_IP, IP_PKTINFO, info);
    } else {
      in6_pktinfo info{};
      std::memcpy(&info.ipi6_addr, control.source.octets().data(), 16);
      info.ipi6_ifindex = control.source.scope_id();
      out.put(IPPROTO_IPV6, IPV6_PKTINFO, info);
    }
  }
  if (control.ecn != Ecn::not_ect) {
    const int mark = static_cast<int>(control.ecn);
    if (control.to_ipv4) {
      out.put(IPPROTO_IP, IP_TOS, mark);
    } else {
      out.put(IPPROTO_IPV6, IPV6_TCLASS, mark);
    }
  }
  if (control.segment_size != 0) {
    out.put(IPPROTO_UDP, UDP_SEGMENT, static_cast<std::uint16_t>(control.segment_size));
  }
  if (message.msg_controllen == 0) message.msg_control = nullptr;
}

}  // namespace qpeer::io
