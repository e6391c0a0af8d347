// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/async/http_message.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <system_error>
#include <utility>

namespace qpeer::p2p::detail {
namespace {

constexpr std::string_view kEndOfHead = "\r\n\r\n";
constexpr std::size_t kMaxUrl = 512;

bool is_of_url(char c) { return c > ' ' && c <= '~' && c != '"' && c != '<' && c != '>'; }

bool equal_names(std::string_view a, std::string_view b) {
  const auto lower = [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  };
  return std::ranges::equal(a, b, {}, lower, lower);
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// All of `text` as a number.
std::optional<std::size_t> number(std::string_view text, int base = 10) {
  std::size_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out, base);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return out;
}

/// Cuts the first line off.
std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find("\r\n");
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 2);
  return line;
}

struct Head {
  int status = 0;
  std::optional<std::size_t> body_size;
  bool is_chunked = false;
};

std::optional<Head> read_head(std::string_view text) {
  const std::string_view first = take_line(text);
  if (!first.starts_with("HTTP/1.") || first.size() < 12 || first[8] != ' ') return std::nullopt;
  const auto status = number(first.substr(9, 3));
  if (!status) return std::nullopt;
  Head out{.status = static_cast<int>(*status), .body_size = {}, .is_chunked = false};
  if (const auto size = header_of(text, "content-length")) out.body_size = number(*size);
  const auto encoding = header_of(text, "transfer-encoding");
  out.is_chunked = encoding && equal_names(*encoding, "chunked");
  return out;
}

std::optional<std::string> join_chunks(std::string_view rest) {
  std::string out;
  for (;;) {
    const std::string_view line = take_line(rest);
    const auto size = number(trimmed(line.substr(0, line.find(';'))), 16);
    if (!size || *size > rest.size()) return std::nullopt;
    if (*size == 0) return out;
    out += rest.substr(0, *size);
    rest.remove_prefix(*size);
    if (!rest.starts_with("\r\n")) return std::nullopt;
    rest.remove_prefix(2);
  }
}

std::string request(std::string_view method, const HttpUrl& url, std::string_view headers,
                    std::string_view body) {
  std::string out{method};
  out += ' ';
  out += url.path;
  out += " HTTP/1.1\r\nHost: ";
  out += url.host.to_string();
  out += "\r\nConnection: close\r\n";
  out += headers;
  out += "\r\n";
  out += body;
  return out;
}

}  // namespace

std::optional<HttpUrl> HttpUrl::parse(std::string_view text) {
  constexpr std::string_view kScheme = "http://";
  if (text.size() > kMaxUrl || !std::ranges::all_of(text, is_of_url)) return std::nullopt;
  if (!equal_names(text.substr(0, kScheme.size()), kScheme)) return std::nullopt;
  text.remove_prefix(kScheme.size());
  const std::size_t slash = std::min(text.find('/'), text.size());
  std::string authority{text.substr(0, slash)};
  if (authority.find(':') == std::string::npos) authority += ":80";
  const auto host = SocketAddress::parse(authority);
  if (!host || !host->is_ipv4() || host->port() == 0) return std::nullopt;
  std::string path{text.substr(slash)};
  return HttpUrl{.host = *host, .path = path.empty() ? "/" : std::move(path)};
}

std::string http_get(const HttpUrl& url) { return request("GET", url, {}, {}); }

std::string http_post(const HttpUrl& url, std::string_view headers, std::string_view body) {
  std::string all{headers};
  all += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  return request("POST", url, all, body);
}

std::optional<std::string_view> header_of(std::string_view head, std::string_view name) {
  while (!head.empty()) {
    const std::string_view line = take_line(head);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || !equal_names(line.substr(0, colon), name)) continue;
    return trimmed(line.substr(colon + 1));
  }
  return std::nullopt;
}

bool HttpReader::is_whole(std::string_view so_far) {
  if (!head_size_) {
    const std::size_t at = so_far.find(kEndOfHead, looked_at_);
    if (at == std::string_view::npos) {
      looked_at_ = so_far.size() - std::min(so_far.size(), kEndOfHead.size() - 1);
      return false;
    }
    head_size_ = at + kEndOfHead.size();
    const auto head = read_head(so_far.substr(0, at));
    if (!head) return true;
    body_size_ = head->body_size;
    is_chunked_ = head->is_chunked;
  }
  if (is_chunked_) return so_far.substr(*head_size_ - 2).ends_with("\r\n0\r\n\r\n");
  return body_size_ && so_far.size() - *head_size_ >= *body_size_;
}

std::optional<HttpResponse> HttpReader::read(std::string_view all) {
  const std::size_t at = all.find(kEndOfHead);
  if (at == std::string_view::npos) return std::nullopt;
  const auto head = read_head(all.substr(0, at));
  if (!head) return std::nullopt;
  std::string_view body = all.substr(at + kEndOfHead.size());
  if (head->is_chunked) {
    auto joined = join_chunks(body);
    if (!joined) return std::nullopt;
    return HttpResponse{.status = head->status, .body = std::move(*joined)};
  }
  if (head->body_size) {
    if (body.size() < *head->body_size) return std::nullopt;
    body = body.substr(0, *head->body_size);
  }
  return HttpResponse{.status = head->status, .body = std::string(body)};
}

}  // namespace qpeer::p2p::detail
