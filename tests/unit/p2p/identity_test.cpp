// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Keys that last: where they are kept, and when they are not taken.
#include "qpeer/p2p/identity.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <thread>
#include <vector>

#include "qpeer/crypto/identity.hpp"
#include "qpeer/tests/unit/base/folder.hpp"

namespace qpeer::p2p {
namespace {

constexpr uid_t kSomebody = 65'534;

class IdentityFileTest : public InFolder {
 protected:
  void write(const std::string& name, const std::string& text, mode_t mode = 0600) const {
    make(name, text);
    ASSERT_EQ(::chmod(path(name).c_str(), mode), 0);
  }
  [[nodiscard]] std::string path(const std::string& name) const { return folder + "/" + name; }
  // Why the key file is refused, without the name of the file before it.
  [[nodiscard]] std::string why(const std::string& name) const {
    const auto identity = load_or_create_identity(path(name));
    if (identity) return "nothing is wrong";
    const std::string begin = path(name) + ": ";
    EXPECT_TRUE(identity.error().starts_with(begin)) << identity.error();
    return identity.error().substr(std::min(begin.size(), identity.error().size()));
  }
  [[nodiscard]] static std::string text_of(const Identity& identity) {
    return identity.credentials.private_key_pem + identity.credentials.certificate_pem;
  }
};

TEST(Identity, IsNewEachTimeAndNamedByItsKey) {
  const Identity a = make_identity();
  const Identity b = make_identity();
  EXPECT_NE(a.id, b.id);
  EXPECT_EQ(a.id, PeerId{crypto::spki_sha256(a.credentials.private_key_pem).value()});
}

TEST_F(IdentityFileTest, IsMadeOnFirstUseForItsOwnerOnlyAndStaysTheSame) {
  const auto first = load_or_create_identity(path("key"));
  ASSERT_TRUE(first) << first.error();
  struct stat status{};
  ASSERT_EQ(::stat(path("key").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  const auto again = load_or_create_identity(path("key"));
  ASSERT_TRUE(again) << again.error();
  EXPECT_EQ(again->id, first->id);
  EXPECT_EQ(again->credentials.certificate_pem, first->credentials.certificate_pem);
  EXPECT_EQ(again->credentials.certificate_pem.find("PRIVATE"), std::string::npos);
}

TEST_F(IdentityFileTest, IsTheSameForAllWhoMakeItAtOnce) {
  std::array<PeerId, 8> ids{};
  std::vector<std::jthread> threads;
  threads.reserve(ids.size());
  for (PeerId& id : ids) {
    threads.emplace_back([this, &id] {
      const auto identity = load_or_create_identity(path("key"));
      if (identity) id = identity->id;
    });
  }
  threads.clear();
  for (const PeerId& id : ids) EXPECT_EQ(id, ids[0]);
  EXPECT_FALSE(ids[0].is_zero());
}

TEST_F(IdentityFileTest, TakesKeyAndCertificateInEitherOrder) {
  const Identity made = make_identity();
  write("key", "a note\n" + made.credentials.certificate_pem + made.credentials.private_key_pem);
  const auto loaded = load_or_create_identity(path("key"));
  ASSERT_TRUE(loaded) << loaded.error();
  EXPECT_EQ(loaded->id, made.id);
}

TEST_F(IdentityFileTest, RefusesAKeyThatOthersMayUse) {
  const std::string text = text_of(make_identity());
  for (const mode_t mode : {0640U, 0604U, 0620U, 0660U, 0644U, 0666U, 0777U}) {
    write("key", text, mode);
    EXPECT_EQ(why("key"), "others than its owner may use this key (chmod 600, if nobody did)")
        << std::oct << mode;
  }
  for (const mode_t mode : {0600U, 0400U, 0700U}) {
    write("key", text, mode);
    EXPECT_EQ(why("key"), "nothing is wrong") << std::oct << mode;
    ASSERT_EQ(::unlink(path("key").c_str()), 0);
  }
}

TEST_F(IdentityFileTest, RefusesWhatIsNoKeyFile) {
  write("empty", "");
  EXPECT_EQ(why("empty"), "there is no readable certificate");
  write("nonsense", std::string(1000, 'x'));
  EXPECT_EQ(why("nonsense"), "there is no readable certificate");
  const Identity one = make_identity();
  write("no-key", one.credentials.certificate_pem);
  EXPECT_EQ(why("no-key"), "there is no readable, unencrypted private key");
  write("no-certificate", one.credentials.private_key_pem);
  EXPECT_EQ(why("no-certificate"), "there is no readable certificate");
  write("mixed", one.credentials.private_key_pem + make_identity().credentials.certificate_pem);
  EXPECT_EQ(why("mixed"), "the private key is not that of the certificate");
  write("large", text_of(one) + std::string(64 << 10, '\n'));
  EXPECT_EQ(why("large"), "this is too large for a key");
  ASSERT_EQ(::mkdir(path("folder").c_str(), 0700), 0);
  EXPECT_EQ(why("folder"), "this is not a regular file");
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  EXPECT_EQ(why("pipe"), "this is not a regular file");
}

TEST_F(IdentityFileTest, RefusesPlacesWhereNoFileCanBe) {
  EXPECT_TRUE(why("no/such/folder").ends_with("No such file or directory"));
  ASSERT_EQ(::symlink("nowhere", path("dangling").c_str()), 0);
  EXPECT_EQ(why("dangling"), "No such file or directory");
}

TEST_F(IdentityFileTest, FollowsLinksOfOurOwn) {
  const Identity made = make_identity();
  write("key", text_of(made));
  ASSERT_EQ(::symlink("key", path("link").c_str()), 0);
  const auto loaded = load_or_create_identity(path("link"));
  ASSERT_TRUE(loaded) << loaded.error();
  EXPECT_EQ(loaded->id, made.id);
}

// Root gives files of its own away; anybody else finds root's in every system.
TEST_F(IdentityFileTest, RefusesFilesAndLinksOfOthers) {
  if (::geteuid() == 0) {
    write("key", text_of(make_identity()));
    ASSERT_EQ(::symlink("key", path("link").c_str()), 0);
    ASSERT_EQ(::lchown(path("link").c_str(), kSomebody, kSomebody), 0);
    EXPECT_EQ(why("link"), "this symbolic link belongs to another user");
    EXPECT_EQ(why("key"), "nothing is wrong");
    ASSERT_EQ(::chown(path("key").c_str(), kSomebody, kSomebody), 0);
    EXPECT_EQ(why("key"), "this key belongs to another user");
  } else {
    EXPECT_TRUE(load_or_create_identity("/proc/mounts")
                    .error()
                    .ends_with("this symbolic link belongs to another user"));
    EXPECT_TRUE(load_or_create_identity("/etc/passwd")
                    .error()
                    .ends_with("this key belongs to another user"));
  }
}

TEST_F(IdentityFileTest, LoadsACertificateWithTheKeyBesideIt) {
  const Identity made = make_identity();
  write("cert", made.credentials.certificate_pem, 0644);
  write("key", made.credentials.private_key_pem);
  const auto loaded = load_identity(path("cert"), path("key"));
  ASSERT_TRUE(loaded) << loaded.error();
  EXPECT_EQ(loaded->id, made.id);

  write("open", made.credentials.private_key_pem, 0644);
  EXPECT_FALSE(load_identity(path("cert"), path("open")));
  write("other", make_identity().credentials.private_key_pem);
  const auto wrong = load_identity(path("cert"), path("other"));
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error(), path("cert") + " with " + path("other") +
                               ": the private key is not that of the certificate");
  EXPECT_FALSE(load_identity(path("missing"), path("key")));
  EXPECT_FALSE(load_identity(path("cert"), path("missing")));
  EXPECT_NE(::access(path("missing").c_str(), F_OK), 0) << "a missing file was made";
}

}  // namespace
}  // namespace qpeer::p2p
