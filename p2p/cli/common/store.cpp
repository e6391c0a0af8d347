// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/cli/common/store.hpp"

#include <sys/stat.h>
#include <sys/xattr.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <string_view>
#include <system_error>

#include "qpeer/p2p/cli/common/files.hpp"
#include "qpeer/p2p/cli/common/program.hpp"
#include "qpeer/transport/io/system_clock.hpp"

namespace qpeer::cli {
namespace {

constexpr const char* kOwner = "user.qpeer.peer";

// Calls `use(name, path)` for each regular file of the folder that is not half-written.
template <class F>
void for_each_file(const std::string& folder, F&& use) {
  std::error_code error;
  for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error)) {
    std::error_code unknown;
    const std::string name = at->path().filename().string();
    if (name.starts_with(TemporaryFile::kPrefix)) continue;
    if (at->symlink_status(unknown).type() == std::filesystem::file_type::regular) {
      use(name, at->path().string());
    }
  }
}

std::optional<PeerId> owner_of(const std::string& path) {
  std::array<char, 128> text{};
  const ssize_t size = ::lgetxattr(path.c_str(), kOwner, text.data(), text.size());
  if (size <= 0) return std::nullopt;
  const auto id = PeerId::parse(std::string_view(text.data(), static_cast<std::size_t>(size)));
  return id ? std::optional(*id) : std::nullopt;
}

}  // namespace

// --- accounts ------------------------------------------------------------------------------------

Store::Usage Store::Account::of(const PeerId& peer) const {
  const auto at = of_peers.find(peer);
  return at == of_peers.end() ? Usage() : at->second;
}

void Store::Account::add(const PeerId& peer, std::uint64_t size) {
  all.add(size);
  of_peers[peer].add(size);
}

void Store::Account::remove(const PeerId& peer, std::uint64_t size) {
  all.remove(size);
  const auto at = of_peers.find(peer);
  at->second.remove(size);
  if (at->second.files == 0) of_peers.erase(at);
}

Store::Reservation::~Reservation() {
  if (store_ != nullptr) store_->reserved_.remove(peer_, size_);
}

void Store::Reservation::keep(const std::string& name) {
  Store& store = *std::exchange(store_, nullptr);
  store.owners_.insert_or_assign(name, peer_);
  store.reserved_.remove(peer_, size_);
  store.stored_.add(peer_, size_);
}

// --- room ----------------------------------------------------------------------------------------

Store::Store(std::string folder, const StoreLimits& limits)
    : folder_(std::move(folder)), limits_(limits) {
  scan();
}

void Store::scan() {
  stored_ = Account();
  if (!exists()) return;
  std::map<std::string, PeerId> owners;
  for_each_file(folder_, [&](const std::string& name, const std::string& path) {
    struct stat status{};
    if (::lstat(path.c_str(), &status) != 0) return;
    const std::uint64_t charge = static_cast<std::uint64_t>(status.st_size) + kPerFile;
    auto owner = owner_of(path);
    if (const auto known = owners_.find(name); known != owners_.end()) {
      if (!owner) owner = known->second;  // A file system without such attributes.
      owners.insert(*known);
    }
    if (owner) {
      stored_.add(*owner, charge);
    } else {
      stored_.all.add(charge);
    }
  });
  owners_ = std::move(owners);
}

std::string Store::why_no_room(const PeerId& peer, std::uint64_t charge) const {
  const auto is_over = [charge](const Usage& one, const Usage& other, std::uint64_t limit) {
    return charge > limit || one.bytes + other.bytes > limit - charge;
  };
  const Usage stored = stored_.of(peer);
  const Usage reserved = reserved_.of(peer);
  if (is_over(stored, reserved, limits_.peer_quota)) {
    return "there is no room for it; the share of one peer is " + human_size(limits_.peer_quota);
  }
  if (stored.files + reserved.files >= limits_.max_files_of_peer) {
    return fmt::format("there is no room for it; one peer may have {} files",
                       limits_.max_files_of_peer);
  }
  if (is_over(stored_.all, reserved_.all, limits_.quota)) {
    return "there is no room for it; all files together may take " + human_size(limits_.quota);
  }
  if (stored_.all.files + reserved_.all.files >= limits_.max_files) {
    return fmt::format("there is no room for it; there may be {} files", limits_.max_files);
  }
  return {};
}

std::expected<Store::Reservation, std::string> Store::reserve(const PeerId& peer,
                                                              std::uint64_t size, Instant now) {
  if (size > limits_.max_size) {
    return std::unexpected("the file is too large; the limit is " + human_size(limits_.max_size));
  }
  const std::uint64_t charge = size + kPerFile;
  std::string why = why_no_room(peer, charge);
  if (!why.empty() && now >= rescan_at_) {
    const Instant begin = io::now();
    scan();
    rescan_at_ = now + std::max<Duration>(kRescan, 50 * (io::now() - begin));
    why = why_no_room(peer, charge);
  }
  if (!why.empty()) return std::unexpected(std::move(why));
  reserved_.add(peer, charge);
  return Reservation{*this, peer, charge};
}

// --- files ---------------------------------------------------------------------------------------

void Store::set_owner(const AtomicFile& file, const PeerId& peer) {
  const std::string text = peer.to_string();
  (void)::fsetxattr(file.fd(), kOwner, text.data(), text.size(), 0);
}

std::expected<OpenFile, std::string> Store::open(const std::string& name) const {
  return open_file_in(folder_, name);
}

std::vector<std::string> Store::names() const {
  std::vector<std::string> out;
  if (!exists()) return out;
  for_each_file(folder_, [&out](const std::string& name, const std::string& /*path*/) {
    if (why_bad_name(name).empty()) out.push_back(name);
  });
  std::ranges::sort(out);
  return out;
}

}  // namespace qpeer::cli
