// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/cli/common/metrics.hpp"

#include <gtest/gtest.h>

#include <string>

namespace qpeer::cli {
namespace {

TEST(OpenMetrics, HasAllFiguresWithTheirTypes) {
  p2p::NodeStats node;
  node.links = 3;
  node.refused[0] = 7;
  transport::EndpointStats endpoint;
  endpoint.accepted = 11;
  endpoint.dropped[static_cast<std::size_t>(DropReason::duplicate)] = 13;
  io::UdpStats socket;
  socket.bytes_sent = 17;
  const std::string text = open_metrics(node, endpoint, socket);
  const auto has = [&](std::string_view line) {
    EXPECT_NE(text.find(line), std::string::npos) << line << " is not in\n" << text;
  };
  has("# TYPE qpeer_links gauge\n# HELP qpeer_links Links that are up.\nqpeer_links 3\n");
  has("# TYPE qpeer_accepted counter\n");
  has("\nqpeer_accepted_total 11\n");
  has("\nqpeer_dropped_total{reason=\"duplicate\"} 13\n");
  has(" 7\n");
  has("\nqpeer_udp_sent_bytes_total 17\n");
  EXPECT_TRUE(text.ends_with("\n# EOF\n"));
}

TEST(OpenMetrics, NamesEachFamilyOnce) {
  const std::string text = open_metrics({}, {}, {});
  for (std::size_t at = text.find("# TYPE "); at != std::string::npos;) {
    const std::string line = text.substr(at, text.find('\n', at) - at);
    EXPECT_EQ(text.find(line, at + 1), std::string::npos) << line;
    at = text.find("# TYPE ", at + 1);
  }
}

}  // namespace
}  // namespace qpeer::cli
