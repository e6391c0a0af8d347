// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/cache/cache_file.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "qpeer/cache/cache_codec.hpp"
#include "qpeer/crypto/identity.hpp"
#include "qpeer/tests/unit/base/folder.hpp"
#include "qpeer/tests/unit/cache/entries.hpp"
#include "qpeer/transport/base/file.hpp"

namespace qpeer::cache {
namespace {

using Ids = std::vector<PeerId>;
using Names = std::vector<std::string>;

class CacheFileTest : public InFolder {
 protected:
  void SetUp() override {
    InFolder::SetUp();
    path = folder + "/cache";
  }
  void TearDown() override {
    ::chmod(folder.c_str(), 0700);
    InFolder::TearDown();
  }
  [[nodiscard]] CacheFile file() const {
    auto out = CacheFile::open(path);
    EXPECT_TRUE(out) << out.error();
    return std::move(*out);
  }
  /// Empty, or the error.
  [[nodiscard]] std::string save(const BootstrapCache& cache) const {
    const auto saved = file().save(cache);
    return saved ? "" : saved.error();
  }
  [[nodiscard]] Ids loaded() const {
    const auto out = file().load();
    EXPECT_EQ(out.warnings, Names{});
    return ids(out.entries);
  }
  /// The exit status of a child that does `work` as nobody special.
  template <class F>
  int unprivileged(F work, unsigned folder_mode = 0777) const {
    ::chmod(folder.c_str(), folder_mode);
    const pid_t child = ::fork();
    if (child == 0) {
      if (::getuid() == 0 && (::setgid(65534) != 0 || ::setuid(65534) != 0)) ::_exit(99);
      ::_exit(work());
    }
    int status = -1;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  std::string path;
};

/// What begins as a cache and is none.
std::string damaged(const std::string& text) { return "QPEERNC\n" + text; }

BootstrapCache holding(std::vector<std::uint32_t> numbers) {
  BootstrapCache out;
  for (const std::uint32_t number : numbers) out.on_reached(entry_of(number, 1000 + number));
  return out;
}

TEST_F(CacheFileTest, AMissingFileIsEmptyWithoutAWarning) {
  EXPECT_EQ(loaded(), Ids{});
  EXPECT_EQ(files(), Names{});
}

TEST_F(CacheFileTest, HoldsWhatWasSavedForItsOwnerOnly) {
  BootstrapCache cache = holding({1, 2});
  cache.add_ticket(id_of(1), {1, 2, 3});
  cache.set_address_token(id_of(1), {4});
  cache.on_failed(id_of(2));
  EXPECT_EQ(save(cache), "");
  EXPECT_EQ(file().load().entries, cache.entries());
  EXPECT_EQ(files(), (Names{"cache", "cache.lock"}));
  for (const std::string& name : files()) {
    struct stat status{};
    ASSERT_EQ(::stat((folder + "/" + name).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600U) << name;
  }
}

TEST_F(CacheFileTest, WhatAnotherProcessSavedStays) {
  CacheFile our_file = file();
  BootstrapCache ours = holding({1, 2});
  EXPECT_TRUE(our_file.save(ours));
  BootstrapCache theirs = holding({2, 3});
  theirs.on_reached(entry_of(1, 9000));
  EXPECT_EQ(save(theirs), "");
  ours.on_reached(entry_of(4, 5000));
  EXPECT_TRUE(our_file.save(ours));
  EXPECT_EQ(loaded(), (Ids{id_of(4), id_of(1), id_of(3), id_of(2)}));
}

// Each has numbers of its own for what it reaches; what is saved later was reached later.
TEST_F(CacheFileTest, ProcessesThatShareTheFileAgreeOnWhatIsNewer) {
  const auto reach = [](BootstrapCache& cache, std::uint32_t number, std::uint16_t port) {
    CacheEntry entry = entry_of(number, 1'000);
    entry.order = 0;
    entry.address = entry.address.with_port(port);
    cache.on_reached(entry);
  };
  CacheFile our_file = file();
  CacheFile their_file = file();
  BootstrapCache ours;
  BootstrapCache theirs;
  reach(ours, 1, 100);
  ASSERT_TRUE(our_file.save(ours));
  theirs.merge(their_file.load().entries);
  for (std::uint32_t i = 2; i < 50; ++i) reach(theirs, i, 100);
  reach(theirs, 1, 200);
  ASSERT_TRUE(their_file.save(theirs));
  ASSERT_TRUE(our_file.save(ours));
  const auto port_of_first = [this] {
    BootstrapCache out;
    out.merge(file().load().entries);
    return out.find(id_of(1))->address.port();
  };
  EXPECT_EQ(port_of_first(), 200) << "we have not reached it since";
  reach(ours, 1, 300);
  ASSERT_TRUE(our_file.save(ours));
  EXPECT_EQ(port_of_first(), 300) << "whatever our number is";
  ASSERT_TRUE(their_file.save(theirs));
  EXPECT_EQ(port_of_first(), 300);
  EXPECT_EQ(loaded().front(), id_of(1));
  reach(theirs, 9, 100);
  ASSERT_TRUE(their_file.save(theirs));
  EXPECT_EQ(loaded().front(), id_of(9));
}

TEST_F(CacheFileTest, WhatWeForgotDoesNotComeBack) {
  BootstrapCache ours = holding({1, 2, 3});
  EXPECT_EQ(save(ours), "");
  ours.forget(id_of(2));
  EXPECT_EQ(save(ours), "");
  EXPECT_EQ(loaded(), (Ids{id_of(3), id_of(1)}));
}

TEST_F(CacheFileTest, AClockThatWasWrongNeitherWinsNorIsMended) {
  EXPECT_EQ(save(holding({1, 4'000'000})), "");
  CacheFile again = file();
  BootstrapCache cache;
  cache.merge(again.load().entries);
  CacheEntry reached = entry_of(1, 2'000);
  reached.order = 0;
  cache.on_reached(reached);
  EXPECT_TRUE(again.save(cache));
  const auto found = file().load();
  EXPECT_EQ(ids(found.entries), (Ids{id_of(1), id_of(4'000'000)}));
  EXPECT_EQ(found.entries[0].last_reached, 2'000);
  EXPECT_EQ(found.entries[1].last_reached, 4'001'000);
}

TEST_F(CacheFileTest, ADamagedFileIsSetAsideWithAWarning) {
  make("cache", damaged("rubbish"));
  const auto first = file().load();
  EXPECT_EQ(first.warnings, Names{path + ": damaged, set aside as cache.damaged"});
  EXPECT_TRUE(first.entries.empty());
  EXPECT_EQ(contents("cache.damaged"), damaged("rubbish"));
  EXPECT_EQ(loaded(), Ids{});
  make("cache", damaged("again"));
  const auto saved = file().save(holding({1}));
  ASSERT_TRUE(saved) << saved.error();
  EXPECT_EQ(saved->warnings, Names{path + ": damaged, set aside as cache.damaged.1"});
  EXPECT_EQ(contents("cache.damaged.1"), damaged("again"));
  EXPECT_EQ(loaded(), Ids{id_of(1)});
}

TEST_F(CacheFileTest, FiveDamagedOnesAreKept) {
  for (int i = 0; i < 9; ++i) {
    make("cache", damaged("rubbish " + std::to_string(i)));
    EXPECT_EQ(file().load().warnings.size(), 1U);
  }
  EXPECT_EQ(files(), (Names{"cache.damaged", "cache.damaged.1", "cache.damaged.2",
                            "cache.damaged.3", "cache.damaged.4", "cache.lock"}));
  EXPECT_EQ(contents("cache.damaged"), damaged("rubbish 0"));
  EXPECT_EQ(contents("cache.damaged.4"), damaged("rubbish 8"));
}

TEST_F(CacheFileTest, WhatIsNoCacheIsRefusedAndLeftAlone) {
  ASSERT_EQ(::symlink("letter", path.c_str()), 0);
  const std::string refused = path + ": not a cache of qpeer; it is left as it is";
  const std::string refused_empty =
      path + ": empty, so not a cache of qpeer; remove it, and one is made";
  for (const std::string text : {"", "Q", "QPEERNC", "QPEERNX\nand more", "Dear Sir or Madam"}) {
    make("letter", text);
    const auto opened = CacheFile::open(path);
    ASSERT_FALSE(opened) << text;
    EXPECT_EQ(opened.error(), text.empty() ? refused_empty : refused);
    EXPECT_EQ(contents("letter"), text);
    EXPECT_EQ(files(), (Names{"cache", "letter"}));
  }
}

TEST_F(CacheFileTest, WhatTakesThePlaceOfACacheIsLeftAlone) {
  CacheFile later = file();
  make("cache", "Dear Sir or Madam");
  const std::string refused = path + ": not a cache of qpeer; it is left as it is";
  EXPECT_EQ(later.load().warnings, Names{refused});
  EXPECT_EQ(later.save(holding({1})).error(), refused);
  EXPECT_EQ(contents("cache"), "Dear Sir or Madam");
}

TEST_F(CacheFileTest, ADamagedCacheOverwritesNoFileOfAnotherProgram) {
  make("cache", damaged("rubbish"));
  make("cache.damaged.4", "Dear Sir or Madam");
  for (const std::string name :
       {"cache.damaged", "cache.damaged.1", "cache.damaged.2", "cache.damaged.3"}) {
    make(name, damaged(name));
  }
  EXPECT_EQ(file().load().warnings, Names{path + ": damaged, and cannot be set aside: " + path +
                                          ".damaged.4: not a cache of qpeer; it is left as it is"});
  EXPECT_EQ(contents("cache"), damaged("rubbish"));
  EXPECT_EQ(contents("cache.damaged.4"), "Dear Sir or Madam");
}

TEST_F(CacheFileTest, ANewerVersionIsLeftAlone) {
  const std::string head("QPEERNC\n\0\2whatever comes then, in a form of its own", 52);
  const auto checksum = crypto::sha256(as_bytes(head));
  const std::string newer = head + std::string(as_text(checksum));
  make("cache", newer);
  const std::string told =
      path + ": a newer version of qpeer wrote this cache; it is left as it is";
  EXPECT_EQ(file().load().warnings, Names{told});
  EXPECT_EQ(save(holding({1})), told);
  EXPECT_EQ(contents("cache"), newer);
}

TEST_F(CacheFileTest, AFolderInItsPlaceIsAnError) {
  const auto in_place = CacheFile::open(folder);
  ASSERT_FALSE(in_place);
  EXPECT_EQ(in_place.error(), folder + ": Is a directory");
  const auto missing = CacheFile::open(folder + "/no/cache");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error(), folder + "/no: No such file or directory");
  EXPECT_FALSE(CacheFile::open(""));
  make("file", "");
  EXPECT_EQ(CacheFile::open(folder + "/file/cache").error(), folder + "/file: Not a directory");
  CacheFile later = file();
  ASSERT_EQ(::mkdir(path.c_str(), 0700), 0);
  EXPECT_EQ(later.load().warnings, Names{path + ": Not a regular file"});
  EXPECT_EQ(later.save(holding({1})).error(), path + ": Not a regular file");
}

TEST_F(CacheFileTest, WhatIsTooLargeIsLeftAlone) {
  make("cache", damaged(""));
  std::filesystem::resize_file(path, CacheFile::kMaxSize + 1);
  EXPECT_EQ(file().load().warnings, Names{path + ": File too large"});
  EXPECT_EQ(save(holding({1})), path + ": File too large");
}

TEST_F(CacheFileTest, AFullDiskLosesNothing) {
  const int status = unprivileged([this] {
    if (save(holding({1})) != "") return 1;
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{.rlim_cur = 4'000, .rlim_max = 4'000};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 2;
    BootstrapCache large = holding({2});
    large.add_ticket(id_of(2), std::vector<u8>(5'000));
    return save(large) == path + ": cannot write: File too large" ? 0 : 3;
  });
  EXPECT_EQ(status, 0);
  EXPECT_EQ(files(), (Names{"cache", "cache.lock"}));
  EXPECT_EQ(loaded(), Ids{id_of(1)});
}

TEST_F(CacheFileTest, AReadOnlyFolderIsReadFromAndNotSavedTo) {
  const auto first = [this] {
    if (save(holding({1})) != "") return 1;
    return ::unlink((path + ".lock").c_str());
  };
  ASSERT_EQ(unprivileged(first), 0);
  const auto then = [this] {
    if (loaded() != Ids{id_of(1)}) return 1;
    return save(holding({2})) == path + ".lock: Permission denied" ? 0 : 2;
  };
  EXPECT_EQ(unprivileged(then, 0555), 0);
  EXPECT_EQ(loaded(), Ids{id_of(1)});
}

TEST_F(CacheFileTest, WhatCannotBeReadIsNotOverwritten) {
  const int status = unprivileged([this] {
    if (save(holding({1})) != "") return 1;
    if (::chmod(path.c_str(), 0) != 0) return 2;
    if (file().load().warnings != Names{path + ": Permission denied"}) return 3;
    if (save(holding({2})) != path + ": Permission denied") return 4;
    return 0;
  });
  EXPECT_EQ(status, 0);
  ::chmod(path.c_str(), 0600);
  EXPECT_EQ(loaded(), Ids{id_of(1)});
}

TEST_F(CacheFileTest, ALinkStaysALink) {
  ASSERT_EQ(::mkdir((folder + "/real").c_str(), 0700), 0);
  ASSERT_EQ(::symlink("real/data", path.c_str()), 0);
  make("real/data", std::string(as_text(encode({}))));
  EXPECT_EQ(save(holding({1})), "");
  EXPECT_TRUE(std::filesystem::is_symlink(path));
  EXPECT_EQ(loaded(), Ids{id_of(1)});
}

TEST_F(CacheFileTest, OpeningRemovesWhatKilledProcessesLeft) {
  make(std::string(TemporaryFile::kPrefix) + "1-0", "half");
  EXPECT_EQ(loaded(), Ids{});
  EXPECT_EQ(files(), Names{});
}

}  // namespace
}  // namespace qpeer::cache
