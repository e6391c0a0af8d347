// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Text for a descriptor whose reader may be slow, or stand still.
//
// A thread of its own writes it, so that no caller waits, and an event loop goes on. What was not taken
// yet is kept up to a bound.
//
//   write() --> queue --> the thread: write(2), which may block for as long as the reader likes
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <thread>

#include "qpeer/transport/base/time.hpp"

namespace qpeer::cli {

class LineWriter {
 public:
  /// How many bytes wait to be taken, unless said otherwise.
  static constexpr std::size_t kRoom = 1 << 20;
  /// What becomes of a text that finds no room: it is lost, or it is kept all the same. Who keeps it
  /// must bound how much he writes, by has_room() for instance.
  enum class WhenFull { lose, keep };

  /// The descriptor stays its owner's, and open as long as the process writes to it.
  explicit LineWriter(int descriptor, std::size_t room = kRoom);
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;
  /// What is not written by now is lost: see finish().
  ~LineWriter();

  /// Never waits for the reader. False when the text is lost.
  bool write(std::string text, WhenFull when_full);
  /// Whether no more than half of the room is taken.
  [[nodiscard]] bool has_room() const;
  /// Waits until all is written, or the descriptor refuses it; no longer than `limit`, where
  /// Duration::max() is no limit. False when something is left.
  bool finish(Duration limit);

 private:
  struct Shared;
  static void run(const std::shared_ptr<Shared>& shared, int descriptor);

  std::size_t room_;
  std::shared_ptr<Shared> shared_;
  std::thread thread_;
};

}  // namespace qpeer::cli
