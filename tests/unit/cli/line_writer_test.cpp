// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/cli/common/line_writer.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <optional>
#include <string>

#include "qpeer/transport/base/file.hpp"

namespace qpeer::cli {
namespace {

using WhenFull = LineWriter::WhenFull;

class LineWriterTest : public testing::Test {
 protected:
  void SetUp() override {
    ::signal(SIGPIPE, SIG_IGN);
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    in = Descriptor{ends[0]};
    out = Descriptor{ends[1]};
    ASSERT_GT(::fcntl(out.get(), F_SETPIPE_SZ, 4096), 0);
  }
  [[nodiscard]] std::string take(std::size_t size) const {
    std::string text(size, '\0');
    std::size_t done = 0;
    while (done < size) {
      const ssize_t some = ::read(in.get(), text.data() + done, size - done);
      if (some <= 0) break;
      done += static_cast<std::size_t>(some);
    }
    text.resize(done);
    return text;
  }

  Descriptor in;
  Descriptor out;
};

TEST_F(LineWriterTest, WritesInOrder) {
  LineWriter writer{out.get()};
  EXPECT_TRUE(writer.write("one\n", WhenFull::lose));
  EXPECT_TRUE(writer.write("two\n", WhenFull::keep));
  EXPECT_EQ(take(8), "one\ntwo\n");
  EXPECT_TRUE(writer.finish(Duration::max()));
}

TEST_F(LineWriterTest, WritingNeverWaitsForTheReader) {
  constexpr std::size_t kRoom = 100'000;
  const std::string line(999, 'x');
  LineWriter writer{out.get(), kRoom};
  std::size_t kept = 0;
  for (int i = 0; i < 1'000; ++i) kept += writer.write(line + '\n', WhenFull::lose);
  EXPECT_GE(kept, kRoom / 1'000);
  EXPECT_LE(kept,
            kRoom / 1'000 + 70);  // What is in the pipe, and what was taken out to be written.
  EXPECT_FALSE(writer.has_room());
  EXPECT_FALSE(writer.finish(10ms));
  EXPECT_TRUE(writer.write("kept\n", WhenFull::keep));
  const std::string all = take(1'000 * kept + 5);
  EXPECT_EQ(all.size(), 1'000 * kept + 5);
  EXPECT_TRUE(all.ends_with("x\nkept\n"));
  EXPECT_TRUE(writer.finish(Duration::max()));
  EXPECT_TRUE(writer.has_room());
  EXPECT_TRUE(writer.write("again\n", WhenFull::lose));
}

TEST_F(LineWriterTest, EndsThoughNobodyReads) {
  // The thread may outlive this test: its descriptor is never closed.
  std::optional<LineWriter> writer{std::in_place, ::dup(out.get())};
  EXPECT_TRUE(writer->write(std::string(100'000, 'x'), WhenFull::lose));
  EXPECT_FALSE(writer->finish(10ms));
  writer.reset();
  in.reset();  // Frees the thread, which uses nothing of the writer.
}

TEST_F(LineWriterTest, AClosedReaderStopsNoWriter) {
  LineWriter writer{out.get()};
  in.reset();
  EXPECT_TRUE(writer.write("unheard\n", WhenFull::keep));
  EXPECT_TRUE(writer.finish(Duration::max()));
  EXPECT_FALSE(writer.write("unheard\n", WhenFull::keep));
  EXPECT_TRUE(writer.finish(Duration::max()));
}

TEST_F(LineWriterTest, TakesADescriptorThatDoesNotBlock) {
  ASSERT_EQ(::fcntl(out.get(), F_SETFL, O_NONBLOCK), 0);
  LineWriter writer{out.get()};
  const std::string text(50'000, 'x');
  EXPECT_TRUE(writer.write(text, WhenFull::lose));
  EXPECT_EQ(take(text.size()), text);
}

}  // namespace
}  // namespace qpeer::cli
