// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/cli/common/store.hpp"

#include <gtest/gtest.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "qpeer/tests/unit/base/folder.hpp"

namespace qpeer::cli {
namespace {

constexpr PeerId kOne{{1}};
constexpr PeerId kOther{{2}};
constexpr std::uint64_t kFile = Store::kPerFile;

class StoreTest : public InFolder {
 protected:
  /// Room for three files of 1,000 bytes, two of them of one peer.
  StoreLimits limits{.max_size = 1000,
                     .quota = 3 * (kFile + 1000),
                     .peer_quota = 2 * (kFile + 1000),
                     .max_files = 10,
                     .max_files_of_peer = 10};
  Instant now{};

  /// Empty, or why not.
  static std::string why(const std::expected<Store::Reservation, std::string>& room) {
    return room ? "" : room.error();
  }
  void stores(Store& store, const PeerId& peer, const std::string& name, std::size_t size) {
    auto room = store.reserve(peer, size, now);
    ASSERT_TRUE(room) << room.error();
    auto file = AtomicFile::create(folder);
    Store::set_owner(*file, peer);
    EXPECT_TRUE(file->write(as_bytes(std::string(size, 'x'))));
    EXPECT_EQ(file->commit(name, AtomicFile::Collision::number), name);
    room->keep(name);
  }
  /// Whether the file system keeps who stored a file.
  [[nodiscard]] bool keeps_owners() const {
    make("probe", "");
    const std::string path = folder + "/probe";
    const bool keeps = ::setxattr(path.c_str(), "user.qpeer.peer", "x", 1, 0) == 0;
    ::unlink(path.c_str());
    return keeps;
  }
};

TEST_F(StoreTest, WhatIsOnItsWayCounts) {
  Store store{folder, limits};
  std::optional first{store.reserve(kOne, 1000, now)};
  const auto second = store.reserve(kOne, 1000, now);
  EXPECT_TRUE(*first && second);
  EXPECT_EQ(why(store.reserve(kOne, 0, now)),
            "there is no room for it; the share of one peer is 10.0 KiB");
  const auto third = store.reserve(kOther, 1000, now);
  EXPECT_EQ(why(third), "");
  EXPECT_EQ(why(store.reserve(kOther, 0, now)),
            "there is no room for it; all files together may take 14.9 KiB");
  first.reset();
  EXPECT_EQ(why(store.reserve(kOther, 1000, now)), "");
  EXPECT_TRUE(files().empty());
}

TEST_F(StoreTest, AFileMayNotBeLargerThanItsLimit) {
  Store store{folder, limits};
  EXPECT_EQ(why(store.reserve(kOne, 1001, now)), "the file is too large; the limit is 1000 B");
  EXPECT_EQ(why(store.reserve(kOne, ~std::uint64_t{0}, now)),
            "the file is too large; the limit is 1000 B");
}

TEST_F(StoreTest, EmptyFilesAreCounted) {
  limits = {.max_files = 3, .max_files_of_peer = 2};
  Store store{folder, limits};
  stores(store, kOne, "a", 0);
  const auto second = store.reserve(kOne, 0, now);
  EXPECT_TRUE(second);
  EXPECT_EQ(why(store.reserve(kOne, 0, now)), "there is no room for it; one peer may have 2 files");
  stores(store, kOther, "b", 0);
  EXPECT_EQ(why(store.reserve(kOther, 0, now)), "there is no room for it; there may be 3 files");
}

TEST_F(StoreTest, TheOwnerOfAFileIsKnownAfterARestart) {
  {
    Store store{folder, limits};
    stores(store, kOne, "a", 1000);
    stores(store, kOne, "b", 1000);
  }
  Store store{folder, limits};
  const bool keeps = keeps_owners();
  EXPECT_EQ(store.reserve(kOne, 0, now).has_value(), !keeps);
  const auto last = store.reserve(kOther, 1000, now);
  EXPECT_TRUE(last);
  EXPECT_FALSE(store.reserve(kOther, 0, now));
}

// As on a file system without extended attributes.
TEST_F(StoreTest, TheOwnerOfAFileIsKnownWithoutAttributesUntilTheEnd) {
  Store store{folder, limits};
  for (const std::string name : {"a", "b"}) {
    auto room = store.reserve(kOne, 1000, now);
    ASSERT_TRUE(room);
    make(name, std::string(1000, 'x'));
    room->keep(name);
  }
  now += 2 * Store::kRescan;
  EXPECT_EQ(why(store.reserve(kOne, 0, now)),
            "there is no room for it; the share of one peer is 10.0 KiB");
}

TEST_F(StoreTest, WhatIsRemovedGivesItsRoomBack) {
  Store store{folder, limits};
  stores(store, kOne, "a", 1000);
  stores(store, kOne, "b", 1000);
  EXPECT_FALSE(store.reserve(kOne, 1000, now));
  ::unlink((folder + "/a").c_str());
  now += Store::kRescan / 2;
  EXPECT_FALSE(store.reserve(kOne, 1000, now));
  now += Store::kRescan;
  EXPECT_TRUE(store.reserve(kOne, 1000, now));
}

TEST_F(StoreTest, FilesOfOursCountToo) {
  make("ours", std::string(3 * (kFile + 1000), 'x'));
  Store store{folder, limits};
  EXPECT_EQ(why(store.reserve(kOne, 0, now)),
            "there is no room for it; all files together may take 14.9 KiB");
}

TEST_F(StoreTest, OnlyFilesOfItsOwnAreThere) {
  make("file", "hello");
  make(".hidden", "hello");
  ASSERT_TRUE(std::filesystem::create_directory(folder + "/folder"));
  make("folder/inner", "hello");
  for (const auto& [name, target] : {std::pair{"link", "file"}, std::pair{"out", "/etc/passwd"},
                                     std::pair{"down", "folder"}, std::pair{"dead", "nowhere"}}) {
    ASSERT_EQ(::symlink(target, (folder + "/" + name).c_str()), 0);
  }
  const Store store{folder, limits};
  EXPECT_EQ(store.names(), std::vector<std::string>{"file"});
  const auto file = store.open("file");
  ASSERT_TRUE(file);
  EXPECT_EQ(file->size, 5U);
  for (const char* name : {"link", "out", "down", "dead", "folder", "folder/inner", "down/inner",
                           "../file", "..", ".", "", "/etc/passwd"}) {
    EXPECT_FALSE(store.open(name)) << name;
  }
}

}  // namespace
}  // namespace qpeer::cli
