// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/base/file.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "qpeer/tests/unit/base/folder.hpp"

namespace qpeer {
namespace {

using Names = std::vector<std::string>;

class FileTest : public InFolder {
 protected:
  [[nodiscard]] std::string at(const std::string& name) const { return folder + "/" + name; }
  [[nodiscard]] unsigned mode(const std::string& name) const {
    struct stat status{};
    EXPECT_EQ(::stat(at(name).c_str(), &status), 0);
    return status.st_mode & 0777;
  }
};
using ReplaceFile = FileTest;
using ReadFile = FileTest;
using CreatePrivateFile = FileTest;
using FileLockTest = FileTest;
using TemporaryFileTest = FileTest;

/// The exit status of a child that does `work`.
template <class F>
int in_child(F work) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(work());
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F(ReplaceFile, MakesWhatIsMissingAndReplacesWhatIsThere) {
  ASSERT_TRUE(replace_file(at("a"), as_bytes("old"), 0600));
  EXPECT_EQ(contents("a"), "old");
  EXPECT_EQ(mode("a"), 0600U);
  ASSERT_TRUE(replace_file(at("a"), as_bytes("new and longer"), 0640));
  EXPECT_EQ(contents("a"), "new and longer");
  EXPECT_EQ(mode("a") & ~0640U, 0U);
  ASSERT_TRUE(replace_file(at("a"), {}));
  EXPECT_EQ(contents("a"), "");
  EXPECT_EQ(files(), Names{"a"});
}

TEST_F(ReplaceFile, AFullDiskLosesNothing) {
  make("a", "old");
  const int status = in_child([this] {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{.rlim_cur = 1000, .rlim_max = 1000};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 2;
    const auto replaced = replace_file(at("a"), std::vector<u8>(5000, 7));
    if (replaced) return 3;
    return replaced.error() == at("a") + ": cannot write: File too large" ? 0 : 4;
  });
  EXPECT_EQ(status, 0);
  EXPECT_EQ(contents("a"), "old");
  EXPECT_EQ(files(), Names{"a"});
}

TEST_F(ReplaceFile, AFolderOfThatNameStays) {
  ASSERT_EQ(::mkdir(at("a").c_str(), 0700), 0);
  const auto replaced = replace_file(at("a"), as_bytes("new"));
  ASSERT_FALSE(replaced);
  EXPECT_EQ(replaced.error(), at("a") + ": cannot name a: Not a regular file");
  EXPECT_EQ(files(), Names{"a"});
}

TEST_F(ReplaceFile, APipeOrDeviceStaysAndALinkToOne) {
  ASSERT_EQ(::mkfifo(at("pipe").c_str(), 0600), 0);
  ASSERT_EQ(::symlink("pipe", at("link").c_str()), 0);
  ASSERT_EQ(::symlink("nothing", at("loose").c_str()), 0);
  EXPECT_EQ(replace_file(at("pipe"), as_bytes("new")).error(),
            at("pipe") + ": cannot name pipe: Not a regular file");
  EXPECT_EQ(replace_file(at("link"), as_bytes("new")).error(),
            at("link") + ": cannot name link: Not a regular file");
  EXPECT_TRUE(replace_file(at("loose"), as_bytes("new")));
  EXPECT_EQ(contents("loose"), "new");
  EXPECT_EQ(files(), (Names{"link", "loose", "pipe"}));
}

TEST_F(ReplaceFile, AMissingFolderIsAnError) {
  const auto replaced = replace_file(at("no/a"), as_bytes("new"));
  ASSERT_FALSE(replaced);
  EXPECT_EQ(replaced.error(), at("no/a") + ": " + at("no") + ": No such file or directory");
}

TEST_F(ReadFile, DistinguishesAMissingFileFromOneThatIsNotRegular) {
  EXPECT_EQ(read_file_if_there(at("a"), 10), std::nullopt);
  make("a", "0123456789");
  EXPECT_EQ(read_file_if_there(at("a"), 10), "0123456789");
  EXPECT_EQ(read_file(at("a"), 10), "0123456789");
  EXPECT_EQ(read_file(at("a"), 9).error(), at("a") + ": File too large");
  EXPECT_EQ(read_file_if_there(at("a"), 9).error(), at("a") + ": File too large");
  EXPECT_EQ(read_file(at("b")).error(), at("b") + ": No such file or directory");
  EXPECT_EQ(read_file(folder).error(), folder + ": Is a directory");
  EXPECT_EQ(read_file_if_there(folder, 10).error(), folder + ": Not a regular file");
}

TEST_F(ReadFile, APipeIsNotWaitedForWhereAFileIsWanted) {
  ASSERT_EQ(::mkfifo(at("pipe").c_str(), 0600), 0);
  EXPECT_EQ(read_file_if_there(at("pipe"), 10).error(), at("pipe") + ": Not a regular file");
}

TEST_F(CreatePrivateFile, NeverOverwrites) {
  EXPECT_EQ(create_private_file(at("a"), "first"), true);
  EXPECT_EQ(create_private_file(at("a"), "second"), false);
  EXPECT_EQ(contents("a"), "first");
  EXPECT_EQ(mode("a"), 0600U);
  EXPECT_EQ(files(), Names{"a"});
}

TEST_F(FileLockTest, IsHeldByOne) {
  auto held = FileLock::acquire(at("lock"));
  ASSERT_TRUE(held) << held.error();
  const auto second = FileLock::acquire(at("lock"), 12);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error(), at("lock") + ": Locked by another process");
  EXPECT_EQ(in_child([this] { return FileLock::acquire(at("lock")) ? 1 : 0; }), 0);
  {
    const FileLock ends = std::move(*held);
  }
  EXPECT_TRUE(FileLock::acquire(at("lock")));
  EXPECT_EQ(files(), Names{"lock"});
}

TEST_F(FileLockTest, WaitsForItsHolder) {
  int ready[2];
  int refused[2];
  ASSERT_EQ(::pipe(ready), 0);
  ASSERT_EQ(::pipe(refused), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto held = FileLock::acquire(at("lock"));
    char seen = 0;
    if (::write(ready[1], "x", 1) != 1 || ::read(refused[0], &seen, 1) != 1) ::_exit(1);
    ::usleep(20'000);
    ::_exit(held ? 0 : 1);  // The lock goes with the process.
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  EXPECT_FALSE(FileLock::acquire(at("lock")));
  ASSERT_EQ(::write(refused[1], "x", 1), 1);
  EXPECT_TRUE(FileLock::acquire(at("lock"), 60'000));
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  for (const int fd : {ready[0], ready[1], refused[0], refused[1]}) ::close(fd);
}

TEST_F(TemporaryFileTest, OnlyWhatNobodyUsesIsStale) {
  make(std::string(TemporaryFile::kPrefix) + "dead", "x");
  make("kept", "y");
  auto file = TemporaryFile::create(folder, 0600);
  ASSERT_TRUE(file) << file.error();
  EXPECT_EQ(TemporaryFile::remove_stale(folder), 1U);
  EXPECT_EQ(files().size(), 2U);
  EXPECT_EQ(file->name_it("kept", TemporaryFile::Taken::refuse), false);
  EXPECT_EQ(file->name_it("mine", TemporaryFile::Taken::refuse), true);
  EXPECT_EQ(files(), (Names{"kept", "mine"}));
}

TEST_F(TemporaryFileTest, LeavesNothingWhenAbandoned) {
  auto file = TemporaryFile::create(folder, 0600);
  ASSERT_TRUE(file);
  auto other = TemporaryFile::create(folder, 0600);
  ASSERT_TRUE(other);
  {
    const TemporaryFile moved = std::move(*file);
    EXPECT_EQ(files().size(), 2U);
  }
  EXPECT_EQ(files().size(), 1U);
}

TEST(Paths, AreFolderAndName) {
  EXPECT_EQ(folder_of("a"), ".");
  EXPECT_EQ(folder_of("/a"), "/");
  EXPECT_EQ(folder_of("b/c/a"), "b/c");
  EXPECT_EQ(name_in_folder("b/c/a"), "a");
  EXPECT_EQ(name_in_folder("a"), "a");
}

}  // namespace
}  // namespace qpeer
