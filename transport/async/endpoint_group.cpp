// SPDX-License-Identifier: MIT OR BSD-3-Clause
// EndpointGroup: opens its members, and ends them together.
#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "qpeer/crypto/identity.hpp"
#include "qpeer/transport/async/async_endpoint.hpp"
#include "qpeer/transport/async/group_member.hpp"
#include "qpeer/transport/async/runtime.hpp"

namespace qpeer::async {

using detail::GroupEnd;
using detail::GroupMember;
using detail::PortMembers;

struct EndpointGroup::State {
  void shut_down(const GroupEnd& end);
  void on_end(const std::exception_ptr& error);

  std::vector<std::unique_ptr<GroupMember>> members;  ///< Does not change after open().
  std::vector<SocketAddress> addresses;               ///< The same.
  std::mutex mutex;                                   ///< Guards the rest.
  std::condition_variable ended;
  std::size_t running = 0;
  bool is_shut_down = false;
  std::exception_ptr error;
};

namespace {

using Binds = std::vector<SocketAddress>;

/// The addresses of `options`, each with a port. The system must not choose the port of a socket with
/// SO_REUSEPORT: it may choose that of another such socket of this user.
std::expected<Binds, std::error_code> choose_ports(const AsyncEndpointOptions& options) {
  Binds out{options.bind};
  out.insert(out.end(), options.more_binds.begin(), options.more_binds.end());
  std::vector<io::UdpSocket> held;  // So that no port is chosen twice.
  for (SocketAddress& address : out) {
    if (address.valid() && address.port() != 0) continue;
    io::UdpOptions alone = options.socket;
    alone.reuse_port = false;
    auto socket = detail::bind_socket(address, alone);
    if (!socket) return std::unexpected(socket.error());
    address = socket->local_address();
    held.push_back(std::move(*socket));
  }
  return out;
}

template <class Key>
void draw_if_none(Key& key) {
  if (key == Key{}) crypto::system_random().fill_private(key);
}

/// What makes one port of several endpoints.
std::expected<std::shared_ptr<PortMembers>, std::error_code> share_port(
    AsyncEndpointOptions& options, std::size_t count) {
  auto binds = choose_ports(options);
  if (!binds) return std::unexpected(binds.error());
  options.bind = binds->front();
  options.more_binds.assign(binds->begin() + 1, binds->end());
  options.socket.reuse_port = true;
  transport::EndpointConfig& config = options.endpoint;
  draw_if_none(config.token_key);
  draw_if_none(config.reset_key);
  auto port = std::make_shared<PortMembers>(count, config, crypto::system_random());
  transport::SharedPortMember& member = config.shared_port.emplace();
  member.port = port;
  member.count = count;
  crypto::system_random().fill_private(member.id_key);
  return port;
}

}  // namespace

// --- the state -----------------------------------------------------------------------------------

void EndpointGroup::State::shut_down(const GroupEnd& end) {
  {
    const std::scoped_lock lock(mutex);
    if (std::exchange(is_shut_down, true)) return;
  }
  for (const auto& member : members) member->shut_down(end);
}

void EndpointGroup::State::on_end(const std::exception_ptr& failure) {
  const std::scoped_lock lock(mutex);
  if (!error) error = failure;
  --running;
  ended.notify_all();
}

// --- the group -----------------------------------------------------------------------------------

std::expected<EndpointGroup, std::error_code> EndpointGroup::open(const Options& options,
                                                                  const Serve& serve) {
  const std::size_t processors = std::max(1U, std::thread::hardware_concurrency());
  const std::size_t count =
      std::clamp<std::size_t>(options.threads == 0 ? processors : options.threads, 1,
                              transport::SharedPortMember::kMaxCount);
  AsyncEndpointOptions each = options.endpoint;
  std::shared_ptr<PortMembers> port;
  if (count > 1) {
    auto shared = share_port(each, count);
    if (!shared) return std::unexpected(shared.error());
    port = std::move(*shared);
  }
  auto state = std::make_shared<State>();
  for (std::size_t i = 0; i < count; ++i) {
    if (port) each.endpoint.shared_port->index = i;
    state->members.push_back(std::make_unique<GroupMember>(i, port, serve));
    auto addresses = state->members.back()->start(each);
    if (!addresses) return std::unexpected(addresses.error());
    state->addresses = std::move(*addresses);
  }
  state->running = count;
  State* const group = state.get();
  for (const auto& member : state->members) {
    member->go([group] { group->shut_down({}); },
               [group](const std::exception_ptr& error) { group->on_end(error); });
  }
  return EndpointGroup(std::move(state));
}

EndpointGroup::EndpointGroup(std::shared_ptr<State> state) : state_(std::move(state)) {}

EndpointGroup& EndpointGroup::operator=(EndpointGroup&& other) noexcept {
  if (this != &other) {
    end();
    state_ = std::move(other.state_);
  }
  return *this;
}

EndpointGroup::~EndpointGroup() { end(); }

void EndpointGroup::end() {
  if (!state_) return;
  state_->shut_down({});
  for (const auto& member : state_->members) member->join();
}

void EndpointGroup::shut_down(std::uint64_t error_code, std::string_view reason, Duration limit) {
  state_->shut_down({.error_code = error_code, .reason = std::string(reason), .limit = limit});
}

void EndpointGroup::wait() {
  const auto state = state_;
  std::unique_lock lock(state->mutex);
  state->ended.wait(lock, [&] { return state->running == 0; });
  if (state->error) std::rethrow_exception(std::exchange(state->error, nullptr));
}

std::size_t EndpointGroup::threads() const { return state_->members.size(); }

const SocketAddress& EndpointGroup::local_address() const { return state_->addresses.front(); }

const std::vector<SocketAddress>& EndpointGroup::local_addresses() const {
  return state_->addresses;
}

std::vector<transport::EndpointStats> EndpointGroup::stats() const {
  std::vector<transport::EndpointStats> out;
  out.reserve(state_->members.size());
  for (const auto& member : state_->members) out.push_back(member->stats());
  return out;
}

}  // namespace qpeer::async
