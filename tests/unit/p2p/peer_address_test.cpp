// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Contacts as people pass them on.
#include "qpeer/p2p/peer_address.hpp"

#include <gtest/gtest.h>

#include "qpeer/transport/base/host_port.hpp"

namespace qpeer::p2p {
namespace {

constexpr std::uint16_t kPort = 4477;
constexpr PeerId kId{{1, 2, 3}};

TEST(PeerAddress, TakesEverySpelling) {
  const std::string id = kId.to_string();
  const auto parse = [](const std::string& text) { return PeerAddress::parse(text, kPort); };
  EXPECT_EQ(parse("example.net"), (PeerAddress{std::nullopt, "example.net", kPort}));
  EXPECT_EQ(parse("example.net:1"), (PeerAddress{std::nullopt, "example.net", 1}));
  EXPECT_EQ(parse("[2001:db8::1]:65535"), (PeerAddress{std::nullopt, "2001:db8::1", 65535}));
  EXPECT_EQ(parse("2001:db8::1"), (PeerAddress{std::nullopt, "2001:db8::1", kPort}));
  EXPECT_EQ(parse("[fe80::1%eth0]:9"), (PeerAddress{std::nullopt, "fe80::1%eth0", 9}));
  EXPECT_EQ(parse(id + "@192.0.2.1:443"), (PeerAddress{kId, "192.0.2.1", 443}));
  EXPECT_EQ(parse(id + "@[::1]"), (PeerAddress{kId, "::1", kPort}));
  EXPECT_EQ(parse("  " + id + "@node.test\n"), (PeerAddress{kId, "node.test", kPort}));
}

TEST(PeerAddress, TextReadsBack) {
  for (const auto& id : {std::optional<PeerId>{}, std::optional{kId}}) {
    for (const std::string host : {"a", "node.test", "192.0.2.1", "2001:db8::1", "fe80::1%eth0"}) {
      const PeerAddress address{id, host, 4433};
      EXPECT_EQ(PeerAddress::parse(address.to_string(), 1), address) << address.to_string();
    }
  }
  const std::string with_id = HostPort{kId.to_string() + "@2001:db8::1", 443}.to_string();
  EXPECT_EQ(PeerAddress::parse(with_id, 1), (PeerAddress{kId, "2001:db8::1", 443})) << with_id;
  EXPECT_EQ((PeerAddress{std::nullopt, "::1", 5}.to_string()), "[::1]:5");
  EXPECT_EQ((PeerAddress{kId, "a", 5}.to_string()), kId.to_string() + "@a:5");
}

PeerAddress of_three_places() {
  return {.id = kId,
          .host = "192.0.2.1",
          .port = 4477,
          .others = {{.host = "2001:db8::1", .port = 443}, {.host = "node.test", .port = 7}}};
}

TEST(PeerAddress, TakesATicket) {
  const PeerAddress address = of_three_places();
  const std::string ticket = address.to_ticket();
  EXPECT_TRUE(ticket.starts_with("qpeerticket1")) << ticket;
  EXPECT_EQ(PeerAddress::parse(ticket, 1), address);
  EXPECT_EQ(PeerAddress::parse("\t" + ticket + " \r\n", 1), address);
  EXPECT_EQ(PeerAddress::parse("Q" + ticket.substr(1), 1), address);
  EXPECT_EQ(address.places().size(), 3U);
  EXPECT_EQ(address.places()[1].to_string(), "[2001:db8::1]:443");
  EXPECT_EQ(address.to_string(), kId.to_string() + "@192.0.2.1:4477") << "for people";
  const PeerAddress one{kId, "192.0.2.1", 4477};
  EXPECT_EQ(PeerAddress::parse(one.to_ticket(), 1), one);
  EXPECT_EQ(PeerAddress::parse(one.to_ticket(), 1), PeerAddress::parse(one.to_string(), 1));
  EXPECT_EQ((PeerAddress{std::nullopt, "192.0.2.1", 4477}.to_ticket()), "");
}

TEST(PeerAddress, NoMistypedTicketIsTakenForAHost) {
  const std::string right = of_three_places().to_ticket();
  for (std::size_t at = 0; at < right.size(); ++at) {
    std::string text = right;
    for (char character = ' '; character <= '~'; ++character) {
      const bool same = character == right[at] || character + 'a' - 'A' == right[at];
      if (same || (at == 0 || at + 1 == right.size() ? character == ' ' : false)) continue;
      text[at] = character;
      ASSERT_FALSE(PeerAddress::parse(text, kPort)) << text;
    }
    text = right;
    if (at == 0 || text[at - 1] == text[at]) continue;
    std::swap(text[at - 1], text[at]);
    ASSERT_FALSE(PeerAddress::parse(text, kPort)) << text;
  }
}

TEST(PeerAddress, SaysWhatIsWrongWithATicket) {
  const auto wrong = [](const std::string& text) {
    const auto address = PeerAddress::parse(text, kPort);
    return address ? "nothing" : address.error();
  };
  const std::string ticket = of_three_places().to_ticket();
  EXPECT_EQ(wrong(ticket.substr(0, 100)), "the ticket was cut off");
  EXPECT_EQ(wrong(ticket + ":4477"),
            "a ticket has only letters and the digits 2 to 7, but ':' is at position " +
                std::to_string(ticket.size() + 1));
  for (const std::string& text :
       {kId.to_string() + '@' + ticket, '[' + ticket + "]:1", std::string("[qpeerticket]:1")}) {
    EXPECT_EQ(wrong(text), "a ticket has neither an id before it nor a port behind it");
  }
  PeerAddress address = of_three_places();
  address.others[1].host = "a/b";
  EXPECT_EQ(
      wrong(address.to_ticket()),
      "the ticket has an address that is none: the host's name has a character that is in no name");
  address = of_three_places();
  address.others[0].port = 0;
  EXPECT_EQ(wrong(address.to_ticket()),
            "the ticket has an address that is none: nobody can be reached at port 0");
}

TEST(PeerAddress, SaysWhatIsWrong) {
  const auto wrong = [](const std::string& text, std::uint16_t port = kPort) {
    const auto address = PeerAddress::parse(text, port);
    return address ? "nothing" : address.error();
  };
  const std::string id = kId.to_string();
  EXPECT_EQ(wrong(""), "no host is named");
  EXPECT_EQ(wrong(id + "@"), "no host is named");
  EXPECT_EQ(wrong("@host"), "a peer id has 56 characters, not 0");
  EXPECT_EQ(wrong("me@host"), "a peer id has 56 characters, not 2");
  EXPECT_EQ(wrong("b" + id.substr(1) + "@host"),
            "the peer id is mistyped: its checksum does not match");
  EXPECT_EQ(wrong("host:70000"), "\"70000\" is not a port");
  EXPECT_EQ(wrong("host:0"), "nobody can be reached at port 0");
  EXPECT_EQ(wrong("host", 0), "nobody can be reached at port 0");
  EXPECT_EQ(wrong("host:1:2"), "\"host:1:2\" is neither host:port nor an IPv6 address");
  EXPECT_EQ(wrong("[host:1]:2"), "\"host:1\" is neither host:port nor an IPv6 address");
  EXPECT_EQ(wrong("[::1%]:2"), "\"::1%\" is neither host:port nor an IPv6 address");
  EXPECT_EQ(wrong(std::string(256, 'a')), "the host's name is longer than 255 characters");
  EXPECT_EQ(wrong(std::string(63, 'a') + '.' + std::string(63, 'b')), "nothing");
  EXPECT_EQ(
      wrong("a." + std::string(64, 'b') + ".c"),
      "it begins as no ticket does, and no part of a host's name is longer than 63 characters");
  for (const std::string& text :
       {id + "@a@b", std::string("a b"), std::string("a\0b", 3), std::string("a]"),
        std::string("https://host"), std::string("a\x7f"), id + "@ host"}) {
    EXPECT_NE(wrong(text), "nothing") << text;
  }
}

}  // namespace
}  // namespace qpeer::p2p
