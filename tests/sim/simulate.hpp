// SPDX-License-Identifier: MIT OR BSD-3-Clause
// SIMULATE(Suite, Name) { ... }: a GTest whose body runs in a network of its own, under a seed.
//
//   QPEER_SEED=N   that seed (a failure prints it); "random" draws one
//   QPEER_RUNS=N   N runs, each with the seed after the last; stops at the first that fails
//   QPEER_TRACE=1  prints every datagram
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include <gtest/gtest.h>

#include "qpeer/tests/sim/network.hpp"

namespace qpeer::sim {

/// What the body of a simulation sees.
template <class N>
class Simulation {
 public:
  explicit Simulation(std::uint64_t seed) : network(seed) {}
  virtual ~Simulation() = default;
  virtual void body() = 0;

 protected:
  bool run_until(const std::function<bool()>& predicate, Duration timeout) {
    return network.run_until(predicate, timeout);
  }
  void run_for(Duration time) { network.run_for(time); }

  N network;
};

/// Calls `run` with each seed that the environment asks for; `name` decides the first otherwise.
void for_each_seed(std::string_view name, const std::function<void(std::uint64_t seed)>& run);

}  // namespace qpeer::sim

/// A simulation in a network of type `Net`.
#define SIMULATE_IN(Net, Suite, Name)                                              \
  class Suite##_##Name##_Simulation final : public ::qpeer::sim::Simulation<Net> { \
   public:                                                                         \
    using ::qpeer::sim::Simulation<Net>::Simulation;                               \
    void body() override;                                                          \
  };                                                                               \
  TEST(Suite, Name) {                                                              \
    ::qpeer::sim::for_each_seed(#Suite "." #Name, [](std::uint64_t seed) {         \
      Suite##_##Name##_Simulation simulation(seed);                                \
      simulation.body();                                                           \
    });                                                                            \
  }                                                                                \
  void Suite##_##Name##_Simulation::body()
