// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Several processes at one cache file, and processes that die while they save.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "qpeer/cache/cache_file.hpp"
#include "qpeer/tests/unit/base/folder.hpp"
#include "qpeer/tests/unit/cache/entries.hpp"
#include "qpeer/transport/base/file.hpp"

namespace qpeer::cache {
namespace {

class CacheProcesses : public InFolder {
 protected:
  void SetUp() override {
    InFolder::SetUp();
    path = folder + "/cache";
  }
  [[nodiscard]] std::size_t half_written() const {
    std::size_t count = 0;
    for (const std::string& name : files()) count += name.starts_with(TemporaryFile::kPrefix);
    return count;
  }

  std::string path;
};

/// Memory-backed where there is such a folder, so that a process spends its time at many points of
/// saving and not in one fsync.
class CacheKilled : public CacheProcesses {
 protected:
  void SetUp() override {
    CacheProcesses::SetUp();
    std::string name = "/dev/shm/qpeer-test.XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) return;
    std::filesystem::remove_all(folder);
    folder = name;
    path = folder + "/cache";
  }
};

/// Reaches entries first, first + 1, ... and saves after each. The count of failed saves.
int save_each(const std::string& path, std::uint32_t first, std::uint32_t count) {
  auto file = CacheFile::open(path);
  if (!file) return 1;
  BootstrapCache cache;
  int failed = 0;
  for (std::uint32_t i = first; i < first + count; ++i) {
    cache.on_reached(entry_of(i, 1000 + i));
    failed += !file->save(cache);
  }
  return failed;
}

TEST_F(CacheProcesses, SavingAtOnceLoseNothing) {
  constexpr std::uint32_t kEach = 30;
  std::vector<pid_t> children;
  for (std::uint32_t process = 0; process < 2; ++process) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(save_each(path, process * kEach, kEach));
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = -1;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  const auto loaded = CacheFile::open(path)->load();
  EXPECT_TRUE(loaded.warnings.empty());
  EXPECT_EQ(loaded.entries.size(), 2 * kEach);
  EXPECT_EQ(half_written(), 0U);
}

#ifdef __SANITIZE_ADDRESS__
constexpr std::uint32_t kKills = 60;  // A fork is slow there.
#else
constexpr std::uint32_t kKills = 500;
#endif

TEST_F(CacheKilled, AtAnyMomentTheFileIsTheOldOrTheNew) {
  std::mt19937 random(7);
  std::int64_t newest = 0;
  std::size_t left = 0;
  for (std::uint32_t run = 0; run < kKills; ++run) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(save_each(path, 1'000 * run, 1'000));
    ::usleep(random() % 5'000);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    ASSERT_LE(half_written(), 1U) << "run " << run;
    left += half_written();
    auto file = CacheFile::open(path);
    ASSERT_TRUE(file) << file.error();
    const auto loaded = file->load();
    ASSERT_EQ(loaded.warnings, std::vector<std::string>{}) << "run " << run;
    BootstrapCache cache;
    cache.merge(loaded.entries);
    ASSERT_EQ(cache.size(), loaded.entries.size());
    const std::int64_t now = cache.size() == 0 ? 0 : cache.entries()[0].last_reached;
    ASSERT_GE(now, newest) << "run " << run;
    newest = now;
  }
  EXPECT_GT(newest, 0);
  EXPECT_EQ(half_written(), 0U);
  RecordProperty("killed_while_writing", static_cast<int>(left));
}

}  // namespace
}  // namespace qpeer::cache
