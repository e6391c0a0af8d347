// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Writes text to a descriptor whose reader may be slow, or may have stopped reading.
//
// A thread of its own does the writing, so that no caller waits, and an event loop goes on. Text that
// was not written yet is kept, up to a bound.
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
  /// The default bound of the text that waits to be written, in bytes.
  static constexpr std::size_t kRoom = 1 << 20;
  /// What becomes of a text for which there is no room: it is lost, or it is kept all the same. A
  /// caller that uses `keep` must bound how much it writes, by has_room() for instance.
  enum class WhenFull { lose, keep };

  /// Does not own the descriptor, which must stay open as long as the process writes to it.
  explicit LineWriter(int descriptor, std::size_t room = kRoom);
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;
  /// Text that is not written by now is lost: see finish().
  ~LineWriter();

  /// Queues the text, and never waits for the reader. False when the text is lost.
  bool write(std::string text, WhenFull when_full);
  /// Whether at most half of the room is in use.
  [[nodiscard]] bool has_room() const;
  /// Blocks until all is written, or writing fails, at most for `limit`; Duration::max() is no limit.
  /// False when something is left.
  bool finish(Duration limit);

 private:
  struct Shared;
  static void run(const std::shared_ptr<Shared>& shared, int descriptor);

  std::size_t room_;
  std::shared_ptr<Shared> shared_;
  std::thread thread_;
};

}  // namespace qpeer::cli
