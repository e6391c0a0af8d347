#include "p2p/cli/dial.hpp"

#include <memory>
#include <utility>

#include "p2p/cli/common/identity_option.hpp"
#include "p2p/cli/common/protocol.hpp"
#include "transport/base/host_port.hpp"

namespace qpeer::cli {
namespace {

using Error = std::unexpected<std::string>;

struct Client {
  ConnectOptions options;
  std::shared_ptr<bool> was_other;  ///< The peer showed a key that is not the expected one.
};

std::expected<Client, std::string> make_client(const DialOptions& options, const Peer& peer) {
  auto identity = identity_of(options.key);
  if (!identity) return Error(identity.error());
  Client client{.options = {}, .was_other = std::make_shared<bool>(false)};
  crypto::TlsConfig tls = options.transport.tls(std::string(kAlpn));
  tls.credentials = std::move(identity->credentials);
  if (options.expected_id) {
    tls.verify_peer = [id = *options.expected_id,
                       was_other = client.was_other](const crypto::PeerCertificate& certificate) {
      *was_other = PeerId{certificate.spki_sha256} != id;
      return !*was_other;
    };
  }
  auto context = crypto::make_tls_context(std::move(tls));
  if (!context) return Error(context.error());
  client.options.tls = std::move(*context);
  client.options.server_name = peer.host;
  client.options.connection = options.transport.connection();
  client.options.connection.handshake_timeout = options.timeout;
  return client;
}

}  // namespace

void DialOptions::declare(Arguments& arguments) {
  arguments.text("--key", "FILE", key, "our key, made if missing (default: one for this run)");
  arguments.custom("--expect", "ID", "fail unless the node has this id",
                   [this](std::string_view text) -> std::expected<void, std::string> {
                     const auto id = PeerId::parse(text);
                     if (!id) return Error("will not do: " + id.error());
                     expected_id = *id;
                     return {};
                   });
  arguments.seconds("--timeout", "S", timeout, "give up a handshake after this long (default: 10)");
  transport.declare_cipher(arguments);
  transport.declare_mtu(arguments);
}

std::optional<int> DialOptions::parse(Arguments& arguments, std::span<char* const> words) const {
  if (const auto status = arguments.parse(words)) return status;
  const auto parts = split_host_port(to, kDefaultPort);
  if (parts) return std::nullopt;
  return arguments.misuse("'" + to + "' is no address: " + parts.error());
}

Task<std::expected<Dialled, std::string>> dial(EventLoop& loop, const DialOptions& options) {
  const auto peer = resolve_peer(options.to, kDefaultPort);
  if (!peer) co_return Error(peer.error());
  const auto client = make_client(options, *peer);
  if (!client) co_return Error(client.error());
  auto endpoint = AsyncEndpoint::open(loop, {.socket = options.transport.socket()});
  if (!endpoint) co_return Error("cannot open a socket: " + endpoint.error().message());
  std::string tried;
  for (const SocketAddress& address : peer->addresses) {
    auto connection = co_await endpoint->connect(address, client->options);
    if (connection) co_return Dialled{std::move(*endpoint), std::move(*connection)};
    if (!tried.empty()) tried += "; ";
    tried += "cannot connect to " + address.to_string() + ": ";
    tried += *client->was_other ? "it has another id than the one expected"
                                : to_string(connection.error());
  }
  co_return Error(tried);
}

}  // namespace qpeer::cli
