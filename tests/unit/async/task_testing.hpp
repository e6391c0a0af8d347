// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What tests of tasks observe them with.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "qpeer/transport/async/waiting.hpp"

namespace qpeer::async {

// Notes when it goes.
class Witness {
 public:
  Witness(std::vector<std::string>& log, std::string name) : log_(&log), name_(std::move(name)) {}
  Witness(Witness&& other) noexcept
      : log_(std::exchange(other.log_, nullptr)), name_(std::move(other.name_)) {}
  Witness& operator=(Witness&&) = delete;
  ~Witness() {
    if (log_ != nullptr) log_->push_back(name_);
  }

 private:
  std::vector<std::string>* log_;
  std::string name_;
};

// A gate that the test opens.
class Gate {
 public:
  auto pass() {
    struct Pass final : Operation {
      explicit Pass(Gate& owner) : Operation(owner.waiting_), gate(owner) {}
      bool attempt() override { return gate.permits_ > 0 && gate.permits_-- > 0; }
      void await_resume() const {}
      Gate& gate;
    };
    return Pass{*this};
  }
  void open(int permits = 1'000'000) {
    permits_ += permits;
    ready_.schedule(waiting_);
    ready_.drain();
  }
  [[nodiscard]] bool awaited() const { return !waiting_.empty(); }

 private:
  int permits_ = 0;
  WaitList waiting_;
  ReadyList ready_;
};

}  // namespace qpeer::async
