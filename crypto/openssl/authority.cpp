// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/crypto/authority.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <utility>

#include "qpeer/crypto/openssl/certificate.hpp"
#include "qpeer/crypto/openssl/certificate_builder.hpp"

namespace qpeer::crypto {
namespace {

using Error = std::unexpected<std::string>;

long seconds_of(unsigned days) {
  return static_cast<long>(std::clamp(days, 1U, kMaxDays)) * kSecondsPerDay;
}

bool is_label(std::string_view label) {
  constexpr std::size_t kLongest = 63;
  const auto is_allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  };
  return !label.empty() && label.size() <= kLongest && label.front() != '-' &&
         label.back() != '-' && std::ranges::all_of(label, is_allowed);
}

// RFC 1123 §2.1, with the underscore that is about; RFC 6125 §6.4.3: a wildcard is a whole label.
bool is_dns_name(std::string_view name) {
  constexpr std::size_t kLongest = 253;
  if (name.size() > kLongest) return false;
  if (name.starts_with("*.")) name.remove_prefix(2);
  for (;;) {
    const std::size_t dot = name.find('.');
    if (!is_label(name.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    name.remove_prefix(dot + 1);
  }
}

// What is wrong with an authority's certificate; "" when nothing is.
std::string why_no_authority(X509* certificate) {
  if (X509_check_ca(certificate) != 1) return "its certificate is not that of an authority";
  if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0) {
    return "its certificate has expired";
  }
  return {};
}

// The certificates that lead to the root, without it.
std::string chain_of(const Credentials& authority) {
  std::string out;
  for (const auto& each : read_certificates(authority.certificate_pem)) {
    if ((X509_get_extension_flags(each.get()) & EXFLAG_SS) == 0) out += to_pem(each.get());
  }
  ERR_clear_error();
  return out;
}

// Why TLS would not take them; "" when it does.
std::string why_unusable(const Credentials& credentials) {
  const Handle<SSL_CTX> context{SSL_CTX_new(TLS_method())};
  require(context != nullptr);
  std::string wrong = use_credentials(context.get(), credentials);
  ERR_clear_error();
  return wrong;
}

}  // namespace

bool is_certificate_name(std::string_view name) {
  return is_dns_name(name) || is_ip_literal(std::string(name));
}

Credentials make_authority(std::string_view name, unsigned days, KeyType type) {
  CertificateFields fields;
  fields.common_name = name;
  fields.ends_in_s = seconds_of(days);
  fields.basic_constraints = "critical,CA:TRUE,pathlen:0";
  fields.key_usage = "critical,keyCertSign,cRLSign";
  fields.extended_key_usage.clear();
  const auto key = generate_key(type);
  const auto certificate = build_certificate(fields, key.get(), nullptr, nullptr);
  return {.certificate_pem = to_pem(certificate.get()), .private_key_pem = to_pem(key.get())};
}

std::expected<Credentials, std::string> issue_certificate(const Credentials& authority,
                                                          std::span<const std::string> names,
                                                          KeyType type, unsigned days) {
  if (const auto checked = check_credentials(authority); !checked) {
    return Error("the authority: " + checked.error());
  }
  const auto issuer = read_certificate(authority.certificate_pem);
  const auto issuer_key = read_private_key(authority.private_key_pem);
  if (std::string wrong = why_no_authority(issuer.get()); !wrong.empty()) {
    return Error("the authority: " + wrong);
  }
  if (names.empty()) return Error("a certificate needs a name");
  CertificateFields fields;
  fields.common_name = names.front();
  fields.ends_in_s = seconds_of(days);
  for (const std::string& name : names) {
    if (!is_certificate_name(name)) {
      return Error("\"" + name + "\" is neither a DNS name nor an IP address");
    }
    fields.names.push_back({.text = name, .is_address = is_ip_literal(name)});
  }
  const auto key = generate_key(type);
  const auto leaf = build_certificate(fields, key.get(), issuer.get(), issuer_key.get());
  if (leaf == nullptr) return Error("the authority: its key cannot sign");
  Credentials issued{.certificate_pem = to_pem(leaf.get()) + chain_of(authority),
                     .private_key_pem = to_pem(key.get())};
  if (std::string wrong = why_unusable(issued); !wrong.empty()) {
    return Error("the authority: " + wrong);
  }
  return issued;
}

}  // namespace qpeer::crypto
