// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/async/insecure_tls.hpp"

#include <utility>

#include "qpeer/crypto/identity.hpp"

namespace qpeer::async {
namespace {

std::shared_ptr<crypto::TlsContext> make(crypto::TlsConfig config) {
  auto context = crypto::make_tls_context(std::move(config));
  return context ? std::move(*context) : nullptr;
}

}  // namespace

std::shared_ptr<crypto::TlsContext> server_tls(std::string alpn) {
  crypto::TlsConfig config;
  config.credentials = crypto::generate_credentials(crypto::KeyType::p256, "localhost");
  config.alpn = {std::move(alpn)};
  config.mutual = false;
  return make(std::move(config));
}

std::shared_ptr<crypto::TlsContext> client_tls(std::string alpn) {
  crypto::TlsConfig config;
  config.alpn = {std::move(alpn)};
  return make(std::move(config));
}

}  // namespace qpeer::async
