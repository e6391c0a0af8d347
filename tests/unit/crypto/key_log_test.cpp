// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <string>

#include "qpeer/crypto/tls_session.hpp"
#include "qpeer/tests/unit/base/folder.hpp"

namespace qpeer::crypto {
namespace {

class KeyLog : public InFolder {
 protected:
  void TearDown() override {
    ::unsetenv("SSLKEYLOGFILE");
    InFolder::TearDown();
  }
  void name(const std::string& file) { ::setenv("SSLKEYLOGFILE", (folder + file).c_str(), 1); }
};

TEST_F(KeyLog, IsUnsetWhereTheVariableIs) {
  ::unsetenv("SSLKEYLOGFILE");
  EXPECT_FALSE(key_log_from_environment());
  ::setenv("SSLKEYLOGFILE", "", 1);
  EXPECT_FALSE(key_log_from_environment());
}

TEST_F(KeyLog, AppendsLinesToAFileOfItsOwner) {
  name("/keys");
  const auto first = key_log_from_environment();
  const auto second = key_log_from_environment();
  ASSERT_TRUE(first && second);
  first("CLIENT_RANDOM 00 01");
  second("CLIENT_RANDOM 02 03");
  first("CLIENT_RANDOM 04 05");
  EXPECT_EQ(contents("keys"), "CLIENT_RANDOM 00 01\nCLIENT_RANDOM 02 03\nCLIENT_RANDOM 04 05\n");
  struct stat status{};
  ASSERT_EQ(::stat((folder + "/keys").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(KeyLog, AFileThatCannotBeOpenedIsTold) {
  name("/none/keys");
  std::string error;
  EXPECT_FALSE(key_log_from_environment([&](const std::string& text) { error = text; }));
  EXPECT_NE(error.find("/none/keys: No such file"), std::string::npos) << error;
  EXPECT_FALSE(key_log_from_environment());
}

}  // namespace
}  // namespace qpeer::crypto
