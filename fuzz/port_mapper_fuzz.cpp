// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A port mapper whose gateway says what it likes: it stays consistent(), believes nothing without its
// nonce, and asks at a bounded rate.
//
// The input is a list of steps, each with a byte that says what happens: 0 time goes on (seconds of two
// bytes, and milliseconds of one); 1 a datagram comes (its size, its bytes); 2 to 4 an answer to the newest
// request of PCP, of NAT-PMP for the address, for the mapping (result, lifetime, epoch, port); 5 restart; 6
// remove; 7 start.
#include <algorithm>
#include <array>
#include <vector>

#include "qpeer/fuzz/check.hpp"
#include "qpeer/p2p/nat/port_mapper.hpp"

using namespace qpeer;
using fuzz::check;
using namespace qpeer::p2p;

namespace {

class CountingRandom final : public Random {
 public:
  void fill_public(MutableBytes out) override { fill_private(out); }
  void fill_private(MutableBytes out) override {
    for (u8& byte : out) byte = ++next_;
  }

 private:
  u8 next_ = 0;
};

class Case {
 public:
  explicit Case(Bytes input) : in_(input) {}

  void run() {
    start();
    while (!in_.empty()) {
      step();
      poll();
      check(mapper_.consistent());
      (void)mapper_.poll_event();
    }
    // Renewals and announcements make at most two requests in four seconds, what is asked of us apart.
    const auto elapsed = static_cast<std::uint64_t>((now_ - kStart) / 1s);
    check(sent_ <= 24 * (1 + starts_) + 3 * elapsed + answers_);
  }

 private:
  static constexpr Instant kStart{1'000s};
  static constexpr auto kGateway = SocketAddress::ipv4({192, 168, 1, 1}, kGatewayPort);
  static constexpr auto kInternal = SocketAddress::ipv4({192, 168, 1, 2}, 4433);

  void start() {
    ++starts_;
    mapper_.start(now_, kGateway, kInternal);
  }

  void step() {
    switch (in_.byte() % 8) {
      case 0:
        return go_on(std::chrono::seconds(in_.u16()) + std::chrono::milliseconds(in_.byte()));
      case 1:
        return receive(in_.bytes(std::min<std::size_t>(in_.byte(), in_.remaining())));
      case 2:
        return answer_pcp();
      case 3:
        return answer(NatPmpResponse{.result = NatPmpResult{in_.byte()},
                                     .epoch = in_.u32(),
                                     .external_address = any_address()});
      case 4:
        return answer(NatPmpResponse{.opcode = NatPmpOpcode::map_udp,
                                     .result = NatPmpResult{in_.byte()},
                                     .epoch = in_.u32(),
                                     .internal_port = 4433,
                                     .external_port = in_.u16(),
                                     .lifetime = in_.u32()});
      case 5:
        ++starts_;
        return mapper_.restart(now_);
      case 6:
        ++starts_;
        mapper_.remove(now_);
        return;
      default:
        return start();
    }
  }

  SocketAddress any_address() {
    std::array<u8, 4> octets{};
    for (u8& octet : octets) octet = in_.byte();
    return SocketAddress::ipv4(octets, 0);
  }

  void answer_pcp() {
    PcpResponse response{.opcode = (in_.peek() & 0x80) != 0 ? PcpOpcode::announce : PcpOpcode::map,
                         .result = PcpResult{static_cast<u8>(in_.byte() & 0x7f)},
                         .lifetime = in_.u32(),
                         .epoch = in_.u32()};
    response.mapping = {
        .nonce = nonce_, .internal_port = 4433, .external = any_address().with_port(in_.u16())};
    answer(response);
  }

  template <class Message>
  void answer(const Message& message) {
    std::array<u8, kPcpMapSize> storage{};
    Writer out{storage};
    message.encode(out);
    ++answers_;
    receive(out.written());
  }

  void receive(Bytes datagram) {
    const bool was_mapped = mapper_.mapping().has_value();
    check(!mapper_.on_response(now_, kGateway.with_port(5'352), datagram));
    check(mapper_.mapping().has_value() == was_mapped);
    mapper_.on_response(now_, kGateway, datagram);
    if (const auto& mapping = mapper_.mapping()) {
      check(mapping->external.port() != 0 && mapping->lifetime <= PortMapper::kMaxLifetime);
    }
  }

  void go_on(Duration duration) {
    const Instant end = now_ + duration;
    for (;;) {
      poll();
      const Instant next = mapper_.next_deadline();
      if (next > end) break;
      now_ = std::max(now_, next);
      mapper_.on_deadline(now_);
      check(mapper_.consistent());
    }
    now_ = end;
  }

  void poll() {
    std::array<u8, 1'500> storage{};
    TransmitBuffer out{.storage = storage};
    while (const auto transmit = mapper_.poll_transmit(now_, out)) {
      ++sent_;
      check(transmit->path == Path{.local = kInternal, .remote = kGateway});
      const Bytes bytes = Bytes(storage).first(transmit->size);
      if (const auto request = PcpMapRequest::decode(bytes)) {
        nonce_ = request->mapping.nonce;
      } else {
        check(NatPmpRequest::decode(bytes).has_value());
      }
    }
  }

  Reader in_;
  CountingRandom random_;
  PortMapper mapper_{random_};
  Instant now_ = kStart;
  PcpNonce nonce_{};
  std::uint64_t sent_ = 0;
  std::uint64_t starts_ = 0;
  std::uint64_t answers_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  Case{{data, size}}.run();
  return 0;
}
