// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/cli/common/arguments.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <list>
#include <string>
#include <vector>

namespace qpeer::cli {
namespace {

// Parses words; what was printed to standard error is kept.
struct Outcome {
  std::optional<int> status;
  std::string errors;
  std::string output;
};

Outcome parse(Arguments& arguments, std::vector<std::string> words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  testing::internal::CaptureStderr();
  testing::internal::CaptureStdout();
  Outcome run;
  run.status = arguments.parse(pointers);
  run.output = testing::internal::GetCapturedStdout();
  run.errors = testing::internal::GetCapturedStderr();
  return run;
}

struct Options {
  std::string file;
  std::string to;
  std::uint16_t port = 1;
  std::uint64_t size = 0;
  Duration time{};
  int color = 0;
  bool quiet = false;
};

Arguments declare(Options& options) {
  Arguments arguments{"prog", "FILE --to ADDR", "Does things."};
  arguments.positional("FILE", options.file);
  arguments.required("--to", "ADDR", options.to, "where");
  arguments.number("--port", "N", options.port, 1, 65'535, "port");
  arguments.size("--size", "SIZE", options.size, "size");
  arguments.seconds("--time", "S", options.time, "time");
  arguments.choice<int>("--color", {{"red", 1}, {"green", 2}}, options.color, "color");
  arguments.toggle("--quiet", options.quiet, "hush");
  arguments.alias("-q", "--quiet");
  return arguments;
}

TEST(Arguments, SetsWhatIsGivenInEitherForm) {
  Options options;
  Arguments arguments = declare(options);
  const Outcome run = parse(arguments, {"--to=there", "-q", "name", "--port", "65535", "--size",
                                        "2KiB", "--time=0.5", "--color", "green"});
  EXPECT_FALSE(run.status) << run.errors;
  EXPECT_EQ(options.file, "name");
  EXPECT_EQ(options.to, "there");
  EXPECT_EQ(options.port, 65'535);
  EXPECT_EQ(options.size, 2048U);
  EXPECT_EQ(options.time, 500ms);
  EXPECT_EQ(options.color, 2);
  EXPECT_TRUE(options.quiet);
}

TEST(Arguments, WhatFollowsTwoDashesIsNoFlag) {
  Options options;
  Arguments arguments = declare(options);
  const Outcome run = parse(arguments, {"--to", "x", "--", "--quiet"});
  EXPECT_FALSE(run.status);
  EXPECT_EQ(options.file, "--quiet");
  EXPECT_FALSE(options.quiet);
}

TEST(Arguments, EachMistakeIsOneLineAndStatusTwo) {
  const std::list<std::vector<std::string>> mistakes{{"f", "--to", "x", "--colour", "red"},
                                                     {"f", "--to", "x", "--color", "blue"},
                                                     {"f", "--to", "x", "--port", "0"},
                                                     {"f", "--to", "x", "--port", "65536"},
                                                     {"f", "--to", "x", "--port", "1x"},
                                                     {"f", "--to", "x", "--port", ""},
                                                     {"f", "--to", "x", "--port"},
                                                     {"f", "--to", "x", "--quiet=yes"},
                                                     {"f", "--to", "x", "--size", "-1"},
                                                     {"f", "--to", "x", "--time", "soon"},
                                                     {"f", "--to", "x", "g"},
                                                     {"f", "--to", ""},
                                                     {"f", "--to"},
                                                     {"f"},
                                                     {"--to", "x"},
                                                     {"", "--to", "x"},
                                                     {"f", "--to", "x", "-z"},
                                                     {"f", "--to", "x", "--size", "99999999999G"},
                                                     {"f", "--to", "x", "--bad\nflag"}};
  for (const auto& words : mistakes) {
    Options options;
    Arguments arguments = declare(options);
    const Outcome run = parse(arguments, words);
    EXPECT_EQ(run.status, kMisuse);
    EXPECT_EQ(std::ranges::count(run.errors, '\n'), 1) << run.errors;
    EXPECT_TRUE(run.errors.starts_with("prog: ")) << run.errors;
    EXPECT_TRUE(run.output.empty());
  }
}

TEST(Arguments, HelpListsEveryFlagAndIsNoMistake) {
  Options options;
  Arguments arguments = declare(options);
  const Outcome run = parse(arguments, {"--port", "7", "--help", "--unknown"});
  EXPECT_EQ(run.status, kSuccess);
  EXPECT_TRUE(run.errors.empty());
  for (const char* flag : {"--to ADDR", "--port N", "--color red|green", "-q, --quiet"}) {
    EXPECT_NE(run.output.find(flag), std::string::npos) << flag;
  }
}

TEST(Arguments, SizesAreDecimalOrBinary) {
  EXPECT_EQ(parse_size("0"), 0U);
  EXPECT_EQ(parse_size("1500"), 1500U);
  EXPECT_EQ(parse_size("1500B"), 1500U);
  EXPECT_EQ(parse_size("1k"), 1000U);
  EXPECT_EQ(parse_size("1.5M"), 1'500'000U);
  EXPECT_EQ(parse_size("2GiB"), std::uint64_t{2} << 30);
  EXPECT_EQ(parse_size("1KiB"), 1024U);
  EXPECT_EQ(parse_size("1Ti"), std::uint64_t{1} << 40);
  for (const char* wrong : {"", "k", "B", "1x", "-1", "1 k", "1i", "nan", "inf", "0x10", "1e3"}) {
    EXPECT_FALSE(parse_size(wrong)) << wrong;
  }
}

TEST(Arguments, SecondsMayHaveDecimals) {
  EXPECT_EQ(parse_seconds("10"), 10s);
  EXPECT_EQ(parse_seconds("0.25"), 250ms);
  for (const char* wrong : {"", "-1", "1s", "nan", "inf", "1e9"}) {
    EXPECT_FALSE(parse_seconds(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace qpeer::cli
