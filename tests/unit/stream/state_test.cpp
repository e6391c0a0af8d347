// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The figures of RFC 9000 §3.1 and §3.2: every state, every event.
#include <gtest/gtest.h>

#include <array>
#include <optional>

#include "qpeer/transport/stream/recv_state.hpp"
#include "qpeer/transport/stream/send_state.hpp"

namespace qpeer::transport {
namespace {

/// Walks `table[state][event]`; an empty cell is an event that must change nothing.
template <class State, std::size_t kEvents, class Event>
void walk(const std::array<std::array<std::optional<typename State::Value>, kEvents>, 6>& table,
          const std::array<Event, kEvents>& events) {
  for (std::size_t from = 0; from < table.size(); ++from) {
    for (std::size_t event = 0; event < kEvents; ++event) {
      const auto value = static_cast<typename State::Value>(from);
      State state{value};
      const auto expected = table[from][event];
      EXPECT_EQ((state.*events[event])(), expected.has_value()) << from << " x " << event;
      EXPECT_EQ(state.value(), expected.value_or(value)) << from << " x " << event;
    }
  }
}

TEST(SendState, FollowsTheFigureOfTheRfc) {
  using enum SendState::Value;
  constexpr std::nullopt_t x = std::nullopt;
  constexpr std::array events{&SendState::on_send, &SendState::on_fin, &SendState::on_reset,
                              &SendState::on_all_acked, &SendState::on_reset_acked};
  walk<SendState, 5>({{
                         {send, x, reset_sent, x, x},        // ready; [rfc9000-3.1-1]
                         {x, data_sent, reset_sent, x, x},   // send
                         {x, x, reset_sent, data_recvd, x},  // data_sent
                         {x, x, x, x, reset_recvd},          // reset_sent
                         {x, x, x, x, x},                    // data_recvd
                         {x, x, x, x, x},                    // reset_recvd
                     }},
                     events);
}

TEST(SendState, SendsNothingAfterAReset) {  // [rfc9000-3.3-1] [rfc9000-3.3-2]
  using enum SendState::Value;
  for (const auto value : {ready, send, data_sent}) EXPECT_TRUE(SendState{value}.can_send());
  for (const auto value : {reset_sent, data_recvd, reset_recvd}) {
    EXPECT_FALSE(SendState{value}.can_send());
    EXPECT_EQ(SendState{value}.is_terminal(), value != reset_sent);
  }
}

TEST(RecvState, FollowsTheFigureOfTheRfc) {
  using enum RecvState::Value;
  constexpr std::nullopt_t x = std::nullopt;
  constexpr std::array events{&RecvState::on_fin, &RecvState::on_all_data, &RecvState::on_reset,
                              &RecvState::on_data_read, &RecvState::on_reset_read};
  walk<RecvState, 5>({{
                         {size_known, x, reset_recvd, x, x},  // recv
                         {x, data_recvd, reset_recvd, x, x},  // size_known
                         {x, x, x, data_read, x},             // data_recvd
                         {x, x, x, x, reset_read},            // reset_recvd
                         {x, x, x, x, x},                     // data_read
                         {x, x, x, x, x},                     // reset_read
                     }},
                     events);
}

TEST(RecvState, KnowsWhenNothingMoreCanCome) {
  using enum RecvState::Value;
  for (const auto value : {recv, size_known, data_recvd, reset_recvd, data_read, reset_read}) {
    const RecvState state{value};
    EXPECT_EQ(state.is_receiving(), value == recv || value == size_known);
    EXPECT_EQ(state.is_reset(), value == reset_recvd || value == reset_read);
    EXPECT_EQ(state.is_terminal(), value == data_read || value == reset_read);
  }
}

}  // namespace
}  // namespace qpeer::transport
