// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/base/deadline_heap.hpp"

#include <map>
#include <random>

#include <gtest/gtest.h>

namespace qpeer {
namespace {

TEST(DeadlineHeap, AgreesWithASortedModel) {
  std::mt19937_64 random(1);
  DeadlineHeap heap;
  std::map<DeadlineHeap::Slot, Instant> model;
  for (int i = 0; i < 20'000; ++i) {
    const auto slot = static_cast<DeadlineHeap::Slot>(random() % 50);
    if (random() % 4 == 0) {
      heap.set(slot, kNever);
      model.erase(slot);
    } else {
      const Instant at{Duration(static_cast<std::int64_t>(random() % 1000))};
      heap.set(slot, at);
      model[slot] = at;
    }
    std::pair<Instant, DeadlineHeap::Slot> first{kNever, 0};
    for (const auto& [each, at] : model) first = std::min(first, {at, each});
    ASSERT_EQ(heap.earliest(), first.first);
    ASSERT_EQ(heap.empty(), model.empty());
    if (!heap.empty()) {
      ASSERT_EQ(heap.top(), first.second);
    }
  }
}

}  // namespace
}  // namespace qpeer
