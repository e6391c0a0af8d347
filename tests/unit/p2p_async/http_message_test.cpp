// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/async/http_message.hpp"

#include <gtest/gtest.h>

#include <string>

namespace qpeer::p2p::detail {
namespace {

/// How many bytes of `text`, one after the other, the reader wants.
std::size_t taken(std::string_view text) {
  HttpReader reader;
  for (std::size_t size = 0; size < text.size(); ++size) {
    if (reader.is_whole(text.substr(0, size))) return size;
  }
  return reader.is_whole(text) ? text.size() : std::string::npos;
}

TEST(HttpUrl, IsAnAddressAPortAndAPath) {
  const auto url = HttpUrl::parse("http://192.168.1.1:5000/a/b?c=d");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->host, SocketAddress::ipv4({192, 168, 1, 1}, 5000));
  EXPECT_EQ(url->path, "/a/b?c=d");
  EXPECT_EQ(HttpUrl::parse("HTTP://192.168.1.1/a")->host.port(), 80);
  EXPECT_EQ(HttpUrl::parse("http://192.168.1.1")->path, "/");
}

TEST(HttpUrl, NothingElseIsOne) {
  for (const char* wrong :
       {"", "http://", "https://192.168.1.1/", "ftp://192.168.1.1/", "http://router.example/",
        "http://192.168.1.1:0/", "http://192.168.1.1:65536/", "http://192.168.1.1:/",
        "http://user@192.168.1.1/", "http://192.168.1/", "http://[fe80::1]/", "/a",
        "http://192.168.1.1/a b", "http://192.168.1.1/a\r\nX: y", "http://192.168.1.1/\x80"}) {
    EXPECT_FALSE(HttpUrl::parse(wrong)) << wrong;
  }
  EXPECT_FALSE(HttpUrl::parse("http://192.168.1.1/" + std::string(600, 'a')));
}

TEST(HttpMessage, ARequestIsOneForOneConnection) {
  const HttpUrl url{.host = SocketAddress::ipv4({192, 168, 1, 1}, 80), .path = "/a"};
  EXPECT_EQ(http_get(url), "GET /a HTTP/1.1\r\nHost: 192.168.1.1:80\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(http_post(url, "A: b\r\n", "body"),
            "POST /a HTTP/1.1\r\nHost: 192.168.1.1:80\r\nConnection: close\r\nA: b\r\n"
            "Content-Length: 4\r\n\r\nbody");
}

TEST(HttpMessage, AHeaderIsFoundByItsNameInAnyCase) {
  constexpr std::string_view kHead = "HTTP/1.1 200 OK\r\nLocation :x\r\nLOCATION:\t y \r\nST:z";
  EXPECT_EQ(header_of(kHead, "location"), "y");
  EXPECT_EQ(header_of(kHead, "st"), "z");
  EXPECT_FALSE(header_of(kHead, "usn"));
}

TEST(HttpReader, ALengthEndsTheBody) {
  const std::string text = "HTTP/1.1 200 OK\r\nContent-length: 4\r\n\r\nbody";
  EXPECT_EQ(taken(text + "more"), text.size());
  const auto response = HttpReader::read(text + "more");
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->body, "body");
}

TEST(HttpReader, ChunksAreJoined) {
  const std::string text =
      "HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbod\r\n1;x=y\r\ny\r\n0\r\n\r\n";
  EXPECT_EQ(taken(text), text.size());
  const auto response = HttpReader::read(text);
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 500);
  EXPECT_EQ(response->body, "body");
}

TEST(HttpReader, WithoutALengthTheEndOfTheConnectionIsThatOfTheBody) {
  const std::string text = "HTTP/1.0 200 OK\r\n\r\nbody";
  EXPECT_EQ(taken(text), std::string::npos);
  EXPECT_EQ(HttpReader::read(text)->body, "body");
}

TEST(HttpReader, WhatIsCutIsNoAnswer) {
  for (const char* each :
       {"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"}) {
    const std::string text = each;
    for (std::size_t size = 0; size < text.size() - 4; ++size) {
      EXPECT_FALSE(HttpReader::read(text.substr(0, size))) << size;
    }
  }
}

TEST(HttpReader, WhatIsNoHttpIsNoAnswer) {
  for (const char* wrong :
       {"", "\r\n\r\n", "HTTP/2 200 OK\r\n\r\n", "HTTP/1.1 xyz\r\n\r\n", "HTTP/1.1 2\r\n\r\n",
        "HTTP/1.1200OK\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n"}) {
    EXPECT_FALSE(HttpReader::read(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace qpeer::p2p::detail
