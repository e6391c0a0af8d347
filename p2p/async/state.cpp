// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/async/state.hpp"

#include <chrono>
#include <utility>

#include "qpeer/crypto/identity.hpp"
#include "qpeer/crypto/keys.hpp"
#include "qpeer/crypto/static_key.hpp"
#include "qpeer/transport/io/system_clock.hpp"

namespace qpeer::p2p::detail {
namespace {

constexpr std::size_t kMaxAdvertised = 4;

void warn(const NodeOptions& options, const std::string& text) {
  if (options.on_warning) options.on_warning(text);
}

// The first socket, and the one that dials back.
std::expected<std::vector<io::UdpSocket>, ConfigError> bind_all(const NodeOptions& options,
                                                                Role role) {
  std::vector<io::UdpSocket> out;
  auto first = async::detail::bind_socket(options.listen, options.socket);
  if (!first) {
    const std::string where = options.listen.valid() ? options.listen.to_string() : "any address";
    return config_error(ConfigPart::address,
                        "cannot bind to " + where + ": " + first.error().message(), first.error());
  }
  const SocketAddress probe_address = first->local_address().with_port(0);
  out.push_back(std::move(*first));
  if (role == Role::client || !options.probe_port) return out;
  auto probe = io::UdpSocket::bind(probe_address, options.socket);
  if (probe) {
    out.push_back(std::move(*probe));
  } else {
    warn(options,
         "peers are dialled back from the port that they dialled, for there is no second: " +
             probe.error().message());
  }
  return out;
}

/// A node that comes back at its address with its identity ends what its peers still hold of the
/// process before, and takes the address tokens that it gave.
void keep_keys(transport::EndpointConfig& config, const Identity& identity,
               const SocketAddress& address) {
  const Bytes secret = as_bytes(identity.credentials.private_key_pem);
  if (config.reset_key == crypto::ResetTokens::Key{}) {
    config.reset_key = crypto::derive_static_key(secret, "reset " + address.to_string());
  }
  if (config.token_key == crypto::AddressTokens::Key{}) {
    config.token_key = crypto::derive_static_key(secret, "token");
  }
}

}  // namespace

NodeState::NodeState(io::EventLoop& event_loop, NodeConfig config, PeerTls tls,
                     std::unique_ptr<CacheSaver> cache_saver)
    : MachineRuntime(event_loop, io::now(), std::move(config), std::move(tls),
                     crypto::openssl_keys(), crypto::system_random()),
      saver(std::move(cache_saver)),
      names(
          event_loop, [this] { return machine.lacks_links(); },
          [this](std::vector<Candidate> contacts) {
            machine.update_contacts(io::now(), std::move(contacts));
            wake();
          }),
      upnp(event_loop, crypto::system_random(),
           {.on_mapped =
                [this](const SocketAddress& external, Duration lifetime) {
                  machine.on_mapped(io::now(), external, lifetime);
                  wake();
                },
            .on_failed =
                [this](std::string_view why) {
                  machine.on_mapping_failed(io::now(), why);
                  wake();
                },
            .on_idle = [this] { schedule(upnp.idle); }}) {}

std::expected<std::shared_ptr<NodeState>, ConfigError> NodeState::open(io::EventLoop& loop,
                                                                       NodeOptions options,
                                                                       Role role) {
  if (options.advertise.size() > kMaxAdvertised) {
    return config_error(ConfigPart::advertised, "at most four addresses can be advertised");
  }
  auto tls = make_peer_tls(options.identity, options.trust, options.tls);
  if (!tls) return std::unexpected(tls.error());
  auto sockets = bind_all(options, role);
  if (!sockets) return std::unexpected(sockets.error());
  const SocketAddress address = sockets->front().local_address();

  NodeConfig config = std::move(options.config);
  config.role = role;
  config.listen_port = address.port();
  const bool maps_port = role == Role::node && config.port_mapping;
  config.advertised = options.advertise;
  config.other_port_mapper = true;
  if (sockets->size() > 1) config.probe_address = sockets->back().local_address();
  config.unix_time_at_zero =
      io::unix_now() - std::chrono::floor<std::chrono::seconds>(io::now().time_since_epoch());
  config.endpoint.clock_offset = config.unix_time_at_zero.time_since_epoch();
  if (role == Role::node) keep_keys(config.endpoint, options.identity, address);
  auto saver = std::make_unique<CacheSaver>(loop, options.cache_path, options.save_delay,
                                            std::move(options.on_warning));
  config.remembered = saver->load();

  auto state =
      std::make_shared<NodeState>(loop, std::move(config), std::move(*tls), std::move(saver));
  NodeState* const self = state.get();
  state->maps_port = maps_port;
  if (const auto started = state->start(std::move(*sockets)); !started) {
    return config_error(ConfigPart::address,
                        "cannot watch the socket: " + started.error().message(), started.error());
  }
  state->local_address = address;
  state->advertised = std::move(options.advertise);
  state->saver->attach(state->machine.cache(), [self] { self->schedule(self->saver->idle); });
  return state;
}

// --- events --------------------------------------------------------------------------------------

void NodeState::handle(NodeEvent&& event) {
  const auto apply = [&] { std::visit([this](auto& what) { this->on(what); }, event); };
  if (const auto callback = flushing_ ? nullptr : observer) {
    try {
      (*callback)(event);
    } catch (...) {
      apply();  // Otherwise coroutines would wait for this event for ever.
      throw;
    }
  }
  apply();
}

void NodeState::on(const Bootstrapped& event) { answer_links(nullptr, nullptr, event.peer); }

void NodeState::on(const BootstrapFailed& event) {
  answer_links(nullptr, nullptr, std::unexpected(to_error(event.failures)));
}

void NodeState::on(const LinkUp& event) {
  const Candidate reached{
      .address = event.address, .id = event.peer, .server_name = {}, .from_cache = false};
  answer_links(&reached, &event.peer, event.peer);
  release_room(event.peer);
}

void NodeState::on(const LinkDown& event) {
  names.on_link_lost();
  end_pings(event.peer, PeerError::link_lost);
  release_room(event.peer);
}

void NodeState::on(const LinkFailed& event) {
  answer_links(&event.candidate.candidate, nullptr,
               std::unexpected(to_error(std::span(&event.candidate, 1))));
}

void NodeState::on(const Incoming& event) {
  schedule(arriving[std::to_underlying(event.kind)]);
  schedule(arriving.back());
}
void NodeState::on(const Sent& event) { answer(event.id, std::vector<u8>{}); }
void NodeState::on(Response& event) { answer(event.id, std::move(event.data)); }
void NodeState::on(const Failed& event) { answer(event.id, std::unexpected(event.error)); }
void NodeState::on(const Writable& event) { release_room(event.peer); }
void NodeState::on(const CacheChanged&) { saver->on_changed(); }

void NodeState::on(const StreamActivity& event) {
  const auto known = streams.find(event.id.value);
  if (known != streams.end()) known->second.on_event(event);
}

void NodeState::on(const Pong& event) {
  const auto known = pings.find(event.peer);
  if (known == pings.end()) return;
  PingOperation* const first = known->second.front();
  known->second.pop_front();
  if (known->second.empty()) pings.erase(known);
  if (first == nullptr) return;  // Nobody waits for it any more.
  first->result_ = event.round_trip;
  schedule(first->waiting_list_);
}

// From their other port, and then strangers.
void NodeState::on(const ReachabilityVerdict& event) {
  NatFiltering& filtering =
      event.address.is_ipv4() ? filtering_of_verdicts.ipv4 : filtering_of_verdicts.ipv6;
  if (event.verdict == Verdict::reachable && event.by_strangers) {
    filtering = NatFiltering::independent;
  } else if (event.verdict == Verdict::only_where_it_wrote) {
    filtering = NatFiltering::by_address;
  } else if (event.verdict == Verdict::timed_out) {
    filtering = NatFiltering::restricted;
  }
}

void NodeState::on(const FilteringFound& event) {
  if (filtering == nullptr) return;
  filtering->result_ = event;
  schedule(filtering->waiting_list_);
}

void NodeState::on_sockets_gone() {
  ending = true;
  fail_all(PeerError::shut_down);
  if (has_ended()) cancel_calls();
}

// Cancels the calls of callback users of streams. A callback may hold the stream that is destroyed with it:
// so the streams are looked up by their ids.
void NodeState::cancel_calls() {
  std::vector<std::uint64_t> ids;
  ids.reserve(streams.size());
  for (const auto& [id, stream] : streams) ids.push_back(id);
  for (const std::uint64_t id : ids) {
    if (const auto known = streams.find(id); known != streams.end()) known->second.calls.cancel();
  }
}

// --- who goes on ---------------------------------------------------------------------------------

void NodeState::answer(OperationId id, std::expected<std::vector<u8>, PeerError> result) {
  const auto known = answers.find(id.value);
  if (known == answers.end()) return;
  PendingResult& waiting = *known->second;
  answers.erase(known);
  waiting.result = std::move(result);
  schedule(waiting.waiting);
}

// Without a candidate: ends the wait of bootstrap(). Else that of the connect() calls for the candidate:
// where `reached` is given, by the id, or by the address when the call has no id.
void NodeState::answer_links(const Candidate* candidate, const PeerId* reached,
                             const std::expected<PeerId, BootstrapError>& result) {
  for (LinkWait* wait : linking) {
    if (wait->result_ || (wait->candidate_ == nullptr) != (candidate == nullptr)) continue;
    if (candidate != nullptr) {
      const Candidate& wanted = *wait->candidate_;
      const bool same_address = wanted.address == candidate->address;
      if (reached != nullptr ? !(wanted.id ? *wanted.id == *reached : same_address)
                             : !(same_address && wanted.id == candidate->id)) {
        continue;
      }
    }
    wait->result_ = result;
    schedule(wait->waiting_list_);
  }
}

void NodeState::end_pings(const PeerId& peer, PeerError why) {
  const auto known = pings.find(peer);
  if (known == pings.end()) return;
  const auto ended = std::move(known->second);
  pings.erase(known);
  for (PingOperation* ping : ended) {
    if (ping == nullptr) continue;
    ping->result_ = std::unexpected(why);
    schedule(ping->waiting_list_);
  }
}

// --- room ----------------------------------------------------------------------------------------

void NodeState::wait_for_room(const PeerId& peer, PendingResult& answer) {
  answer.waits_for_room = true;
  room[peer].push_back(&answer);
}

void NodeState::forget_room(const PeerId& peer, PendingResult& answer) {
  const auto known = room.find(peer);
  if (known == room.end()) return;
  std::erase(known->second, &answer);
  if (known->second.empty()) room.erase(known);
}

// All that wait try again in their order; those that find no room wait again, in the same order.
void NodeState::release_room(const PeerId& peer) {
  const auto known = room.find(peer);
  if (known == room.end()) return;
  const auto waiting = std::move(known->second);
  room.erase(known);
  for (PendingResult* answer : waiting) {
    answer->waits_for_room = false;
    schedule(answer->waiting);
  }
}

void NodeState::fail_all(PeerError why) {
  while (!answers.empty()) answer({answers.begin()->first}, std::unexpected(why));
  while (!pings.empty()) end_pings(PeerId{pings.begin()->first}, why);
  while (!room.empty()) release_room(PeerId{room.begin()->first});
  if (filtering != nullptr && !filtering->result_) {
    filtering->result_ = std::unexpected(why);
    schedule(filtering->waiting_list_);
  }
  for (LinkWait* wait : linking) {
    if (wait->result_) continue;
    wait->result_ =
        std::unexpected(BootstrapError{.attempts = {}, .why = std::string(to_string(why))});
    schedule(wait->waiting_list_);
  }
  for (auto& [id, stream] : streams) {
    stream.on_event({.id = stream.id, .kind = StreamActivity::Kind::lost});
  }
  schedule_all_arriving();
}

}  // namespace qpeer::p2p::detail
