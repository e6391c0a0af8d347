// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A port mapped by UPnP, by routers that do, refuse and misbehave.
#include "qpeer/p2p/async/upnp_gateway.hpp"

#include <gtest/gtest.h>

#include <string>

#include "qpeer/tests/unit/p2p_async/fake_upnp_router.hpp"
#include "qpeer/transport/io/system_clock.hpp"

namespace qpeer::p2p::detail {
namespace {

using test::FakeUpnpRouter;
using test::http_answer;

class UpnpGatewayTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!upnp_is_built()) GTEST_SKIP() << "UPnP is not built in";
  }
  std::string why() { return why(gateway); }
  static std::string why(UpnpGateway& of) {
    const auto result = of.map();
    return result ? "mapped to " + result->external.to_string() : result.error();
  }
  /// What a gateway says that gives up soon.
  std::string why_soon(Duration search_time, Duration request_time) {
    UpnpConfig config = router.config();
    config.search_time = search_time;
    config.request.time = request_time;
    UpnpGateway hasty{SocketAddress::loopback4(0), SocketAddress::loopback4(4477), config};
    return why(hasty);
  }
  std::string why_not_found() { return why_soon(100ms, 2s); }

  FakeUpnpRouter router;
  UpnpGateway gateway{SocketAddress::loopback4(0), SocketAddress::loopback4(4477), router.config()};
  const FakeUpnpRouter::Mapping ours{.client = "127.0.0.1", .port = "4477", .lifetime = "3600"};
};

TEST_F(UpnpGatewayTest, MapsThePortAndRemovesIt) {
  const auto result = gateway.map();
  ASSERT_TRUE(result) << result.error();
  EXPECT_EQ(result->external, SocketAddress::ipv4({8, 8, 4, 4}, 4477));
  EXPECT_EQ(result->lifetime, 1h);
  ASSERT_EQ(router.mappings().size(), 1U);
  EXPECT_EQ(router.mappings().at(4477), ours);
  gateway.remove();
  EXPECT_TRUE(router.mappings().empty());
  gateway.remove();
  EXPECT_EQ(router.count("DeletePortMapping"), 1U) << "there is nothing left to remove";
}

TEST_F(UpnpGatewayTest, KeepsWhatIsThere) {
  ASSERT_TRUE(gateway.map());
  const auto kept = gateway.keep(false);
  ASSERT_TRUE(kept);
  EXPECT_FALSE(kept->is_new);
  EXPECT_EQ(router.count("AddPortMapping"), 1U);
  const auto renewed = gateway.keep(true);
  ASSERT_TRUE(renewed);
  EXPECT_TRUE(renewed->is_new);
  EXPECT_EQ(router.count("AddPortMapping"), 2U);
}

TEST_F(UpnpGatewayTest, WhatTheRouterHasForgottenIsMappedAnew) {
  ASSERT_TRUE(gateway.map());
  router.forget_mappings();
  const auto kept = gateway.keep(false);
  ASSERT_TRUE(kept);
  EXPECT_TRUE(kept->is_new);
  EXPECT_EQ(router.mappings().at(4477), ours);
  router.restart();
  ASSERT_TRUE(gateway.keep(false)) << "it takes commands at another port";
  EXPECT_EQ(router.mappings().at(4477), ours);
}

TEST_F(UpnpGatewayTest, ARouterThatCannotSayWhatItHasIsBelieved) {
  ASSERT_TRUE(gateway.map());
  router.errors = {{"GetSpecificPortMappingEntry", 401}};
  EXPECT_TRUE(gateway.keep(false));
  EXPECT_EQ(router.count("AddPortMapping"), 1U);
}

TEST_F(UpnpGatewayTest, AnotherAddressOutsideIsTold) {
  ASSERT_TRUE(gateway.map());
  router.external = "8.8.8.8";
  EXPECT_EQ(gateway.keep(false)->external, SocketAddress::ipv4({8, 8, 8, 8}, 4477));
}

TEST_F(UpnpGatewayTest, WhereAnotherHostHasThePortAnotherOneIsTaken) {
  router.conflicts = 2;
  const auto result = gateway.map();
  ASSERT_TRUE(result) << result.error();
  EXPECT_EQ(result->external.port(), 50'002);
  EXPECT_EQ(router.mappings().at(50'002), ours);
  EXPECT_EQ(gateway.keep(true)->external.port(), 50'002) << "and kept";
  gateway.remove();
  EXPECT_TRUE(router.mappings().empty());
}

TEST_F(UpnpGatewayTest, FewPortsAreTried) {
  router.conflicts = 1'000;
  EXPECT_EQ(why(), "its UPnP has given all ports that were asked for to others");
  EXPECT_EQ(router.count("AddPortMapping"), 4U);
}

TEST_F(UpnpGatewayTest, WhereOnlyPermanentMappingsAreMadeItIsOneThatIsRemoved) {
  router.only_permanent = true;
  const auto result = gateway.map();
  ASSERT_TRUE(result) << result.error();
  EXPECT_EQ(result->lifetime, 0s);
  EXPECT_EQ(router.mappings().at(4477).lifetime, "0");
  gateway.remove();
  EXPECT_TRUE(router.mappings().empty());
}

TEST_F(UpnpGatewayTest, ErrorsAreTold) {
  for (const int error : {402, 501, 606, 716, 724, 726, 729, 65'535}) {
    router.errors = {{"AddPortMapping", error}};
    EXPECT_EQ(why(), "its UPnP refuses with error " + std::to_string(error));
  }
  router.errors = {{"GetExternalIPAddress", 501}};
  EXPECT_EQ(why(), "its UPnP refuses with error 501");
  for (const char* wrong : {"", "0.0.0.0", "router.example", "::1", "8.8.4.4:1", "1.2.3.4.5"}) {
    router.errors.clear();
    router.external = wrong;
    EXPECT_EQ(why(), "its UPnP says that it has no address outside") << wrong;
  }
  EXPECT_TRUE(router.mappings().empty());
}

// --- others in the network -----------------------------------------------------------------------

TEST_F(UpnpGatewayTest, OnlyTheRouterIsHeard) {
  router.answers_from_elsewhere = true;
  EXPECT_EQ(why_not_found(), "it has no UPnP");
  EXPECT_TRUE(router.requests().empty());
}

TEST_F(UpnpGatewayTest, ADescriptionElsewhereIsNotFetched) {
  const std::string port = router.location.substr(router.location.rfind(':'));
  for (const std::string& wrong : {"http://127.0.0.2" + port, "http://localhost" + port,
                                   "https://127.0.0.1" + port, std::string("/description.xml"),
                                   std::string(), "http://127.0.0.1:0/description.xml" + port}) {
    router.location = wrong;
    EXPECT_EQ(why_not_found(), "it has no UPnP") << wrong;
  }
  EXPECT_TRUE(router.requests().empty());
}

TEST_F(UpnpGatewayTest, CommandsAreNotSentElsewhere) {
  for (const char* wrong : {"http://127.0.0.2:80/control", "http://router.example/control",
                            "http://127.0.0.1:0/", "//127.0.0.2/\x01"}) {
    router.control_url = wrong;
    EXPECT_EQ(why(), "its UPnP cannot be used") << wrong;
  }
  router.control_url = "/control";
  router.url_base = "http://127.0.0.2:80/";
  EXPECT_EQ(why(), "its UPnP cannot be used");
  EXPECT_EQ(router.count("GetExternalIPAddress"), 0U);
}

TEST_F(UpnpGatewayTest, RedirectsAreNotFollowed) {
  const std::string there = router.location;
  router.instead = [there](std::string_view) {
    return http_answer(302, "", "Location: " + there + "\r\n");
  };
  EXPECT_EQ(why(), "its UPnP cannot be used");
  EXPECT_EQ(router.requests().size(), 1U);
}

// --- too much, too slow --------------------------------------------------------------------------

TEST_F(UpnpGatewayTest, ABodyOfAGigabyteIsNotRead) {
  router.instead = [](std::string_view) {
    return std::string("HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n");
  };
  router.sends_more = 1 << 30;
  EXPECT_EQ(why(), "its UPnP cannot be used");
  EXPECT_LT(router.bytes_sent(), 16U << 20) << "what fits into the kernel's buffers";
}

TEST_F(UpnpGatewayTest, TagsInTagsAreNoDescription) {
  std::string nested;
  for (int i = 0; i < 1'000'000; ++i) nested += "<a>";
  router.instead = [&](std::string_view) { return http_answer(200, nested); };
  EXPECT_EQ(why(), "its UPnP cannot be used");
  nested.resize(60'000);
  EXPECT_EQ(why(), "its UPnP cannot be used");
}

TEST_F(UpnpGatewayTest, SilenceEndsInTime) {
  const Instant begin = io::now();
  router.answers_search = false;
  EXPECT_EQ(why_not_found(), "it has no UPnP");
  router.answers_search = true;
  router.instead = [](std::string_view) { return std::string(); };
  EXPECT_EQ(why_soon(2s, 100ms), "its UPnP cannot be used");
  EXPECT_LT(io::now() - begin, 5s);
}

TEST_F(UpnpGatewayTest, ATrickleEndsInTime) {
  const Instant begin = io::now();
  router.trickles = true;
  EXPECT_EQ(why_soon(2s, 200ms), "its UPnP cannot be used");
  EXPECT_LT(io::now() - begin, 5s);
}

TEST_F(UpnpGatewayTest, AnswersThatAreNoneAreFailures) {
  std::string answer;
  router.instead = [&](std::string_view line) {
    return line.starts_with("GET") ? http_answer(200, router.description()) : answer;
  };
  for (const std::string& wrong :
       {http_answer(200, "<html>Please log in</html>"), http_answer(404, ""), http_answer(200, ""),
        http_answer(500, ""), std::string("nonsense\r\n\r\n"), std::string("HTTP/1.1 200"),
        http_answer(200, "<errorCode>-1</errorCode>"), http_answer(200, std::string(4096, '<'))}) {
    answer = wrong;
    EXPECT_FALSE(gateway.map()) << wrong;
  }
}

// --- the end -------------------------------------------------------------------------------------

TEST_F(UpnpGatewayTest, OnceStoppedNothingIsMapped) {
  EXPECT_FALSE(gateway.stop()) << "there is nothing to wait for";
  EXPECT_FALSE(gateway.map());
  EXPECT_EQ(router.count("AddPortMapping"), 0U);
}

TEST_F(UpnpGatewayTest, WhatIsMappedWhileItIsStoppedIsRemoved) {
  bool must_wait = false;
  router.on_command = [&](std::string_view command) {
    if (command == "AddPortMapping") must_wait = gateway.stop();
  };
  EXPECT_FALSE(gateway.map());
  EXPECT_TRUE(must_wait);
  EXPECT_TRUE(router.mappings().empty());
  EXPECT_EQ(router.count("DeletePortMapping"), 1U);
}

// --- the parser ----------------------------------------------------------------------------------

TEST_F(UpnpGatewayTest, ADescriptionCutAnywhereIsReadWithoutHarm) {
  const std::string xml = router.description();
  const auto url = HttpUrl::parse(router.location);
  for (std::size_t size = 0; size <= xml.size(); ++size) {
    for (const UpnpService& each : read_upnp_services(xml.substr(0, size), *url)) {
      EXPECT_TRUE(each.control.host.same_host(url->host));
    }
  }
  EXPECT_EQ(read_upnp_services(xml, *url).size(), 1U);
}

TEST_F(UpnpGatewayTest, ATypeThatWouldNotBeOneIsNotSentBack) {
  std::string xml = router.description();
  const std::string type = "service:WANIPConnection:1";
  xml.replace(xml.find(type), type.size(), "service:WANIPConnection:1\"\r\nX: y");
  EXPECT_TRUE(read_upnp_services(xml, *HttpUrl::parse(router.location)).empty());
}

TEST_F(UpnpGatewayTest, AnAnswerCutAnywhereIsReadWithoutHarm) {
  const std::string xml =
      "<e:E xmlns:e=\"x\"><!-- c --><b:B><NewInternalPort>4477</NewInternalPort>"
      "<d><![CDATA[text]]></d><errorCode>714</errorCode></b:B></e:E>";
  for (std::size_t size = 0; size <= xml.size(); ++size) {
    (void)UpnpReply(xml.substr(0, size)).number("errorCode");
  }
  EXPECT_EQ(UpnpReply(xml).number("errorCode"), 714);
  EXPECT_EQ(UpnpReply(xml).number("NewInternalPort"), 4477);
  EXPECT_FALSE(UpnpReply(xml).number("d"));
  EXPECT_FALSE(UpnpReply("<a>65536</a>").number("a"));
}

}  // namespace
}  // namespace qpeer::p2p::detail
