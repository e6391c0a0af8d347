// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Floods of frames: streams, credit, acknowledgements, connection IDs and paths. RFC 9000 §21.
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "qpeer/tests/alloc/floods.hpp"

namespace qpeer::sim {
namespace {

void reads(ConformanceFixture& fixture) { fixture.victim.reads = true; }

// --- streams -------------------------------------------------------------------------------------

// [rfc9000-21.7-1]
TEST(Floods, OfStreams) {
  const std::vector<Flood> floods{
      {"single bytes at odd offsets, the same 4000 again and again", Side::server, 400 << 10,
       [](ConformanceFixture& s, std::uint64_t round) {
         send(s, many(100, [&](std::uint64_t i) {
                return stream_frame(kAtServer.bidi(), (round % 40 * 100 + i) * 2 + 1, 1);
              }));
       }},
      {"single bytes that open and close gaps below 4000 others",
       Side::server,
       2 << 20,
       [](ConformanceFixture& s, std::uint64_t round) {
         send(s, many(100, [&](std::uint64_t i) {
                const std::uint64_t at = 10 + round * 100 + i;
                return stream_frame(kAtServer.bidi(), i % 2 == 0 ? at + 1 : at - 1, 1);
              }));
       },
       {},
       {},
       [](ConformanceFixture& s) {
         for (std::uint64_t n = 0; n < 40; ++n) {
           send(s, many(100, [&](std::uint64_t i) {
                  return stream_frame(kAtServer.bidi(), 2'000'000 + (n * 100 + i) * 2, 1);
                }));
           s.run(1ms);
         }
       },
       true},
      {"single bytes far apart", Side::server, 20 << 20,
       [](ConformanceFixture& s, std::uint64_t round) {
         send(s, stream_frame(kAtServer.bidi(), round % 4'000 * 2'000 + 1, 1));
       }},
      {"a byte far out on each of 100 streams", Side::server, 17 << 20,
       [](ConformanceFixture& s, std::uint64_t round) {
         send(s, stream_frame(kAtServer.uni(round % 100), 160'000 - round / 100, 1));
       }},
      {"empty frames", Side::server, 128 << 10,
       [](ConformanceFixture& s, std::uint64_t) {
         send(s, many(100, [](std::uint64_t i) { return stream_frame(kAtServer.bidi(i), 0, 0); }));
       }},
      {"streams opened and reset at once",
       Side::server,
       128 << 10,
       [](ConformanceFixture& s, std::uint64_t round) {
         send(s,
              join({varints({0x04, kAtServer.uni(round), 7, 0}),
                    varints({0x04, kAtServer.bidi(round), 7, 0, 0x05, kAtServer.bidi(round), 7})}));
       },
       {},
       {},
       reads},
      {"streams opened and ended at once",
       Side::server,
       128 << 10,
       [](ConformanceFixture& s, std::uint64_t round) {
         send(s, stream_frame(kAtServer.uni(round), 0, 1, true));
       },
       {},
       {},
       reads},
      {"resets and stops of the same 100 streams", Side::server, 128 << 10,
       [](ConformanceFixture& s, std::uint64_t) {
         send(s, many(100, [](std::uint64_t i) {
                return varints({0x04, kAtServer.bidi(i), 7, 0, 0x05, kAtServer.bidi(i), 7});
              }));
       }},
      {"DATAGRAM frames that nobody reads", Side::server, 200 << 10,
       [](ConformanceFixture& s, std::uint64_t) {
         send(s, many(400, [](std::uint64_t) { return varints({0x31, 0}); }));
       }},
  };
  run_floods(floods);
}

// --- credit --------------------------------------------------------------------------------------

TEST(Floods, OfCredit) {
  AdversaryConfig stingy;
  stingy.parameters = [](wire::TransportParameters& p) { p.initial_max_data = 0; };
  AdversaryConfig mute{.acknowledges = false};
  mute.parameters = [](wire::TransportParameters& p) {
    p.initial_max_data = p.initial_max_stream_data_bidi_remote = 1ULL << 40;
  };
  const auto has_much_to_send = [](ConformanceFixture& s) {
    for (int i = 0; i < 100; ++i) s.victim.session().sends(1 << 14);
  };
  const auto has_very_much_to_send = [](ConformanceFixture& s) {
    s.victim.session().sends(1 << 28);
  };
  const std::vector<Flood> floods{
      {"MAX_DATA, a byte more each time",
       Side::server,
       128 << 10,
       [](ConformanceFixture& s, std::uint64_t round) {
         send(s, many(100, [&](std::uint64_t i) { return varints({0x10, round * 100 + i}); }));
       },
       stingy,
       {},
       has_much_to_send},
      {"MAX_STREAM_DATA, a byte more each time",
       Side::server,
       128 << 10,
       [](ConformanceFixture& s, std::uint64_t round) {
         send(s, many(100, [&](std::uint64_t i) {
                return varints({0x11, kAtServer.victim_bidi(i), (1 << 21) + round});
              }));
       },
       stingy,
       {},
       has_much_to_send},
      {"MAX_STREAMS, one more each time", Side::server, 64 << 10,
       [](ConformanceFixture& s, std::uint64_t round) {
         send(s, many(100, [&](std::uint64_t i) {
                return varints({0x12, 200 + round * 100 + i, 0x13, 200 + round * 100 + i});
              }));
       }},
      {"frames that say it is blocked", Side::server, 64 << 10,
       [](ConformanceFixture& s, std::uint64_t round) {
         send(s, many(30, [&](std::uint64_t i) {
                return varints({0x14, round, 0x15, kAtServer.bidi(i), round, 0x16, i, 0x17, i});
              }));
       }},
      {"no acknowledgement, and all the credit",
       Side::server,
       768 << 10,
       [](ConformanceFixture& s, std::uint64_t) {
         send(s, kPing);
         send(s, kPing);
       },
       mute,
       {},
       has_very_much_to_send,
       true},
  };
  run_floods(floods);
}

// --- acknowledgements ----------------------------------------------------------------------------

TEST(Floods, OfAcknowledgements) {
  AdversaryConfig mute{.acknowledges = false};
  mute.parameters = [](wire::TransportParameters& p) {
    p.initial_max_data = p.initial_max_stream_data_bidi_remote = 1ULL << 40;
  };
  const auto has_very_much_to_send = [](ConformanceFixture& s) {
    s.victim.session().sends(1 << 28);
  };
  const std::vector<Flood> floods{
      {"PINGs", Side::server, 64 << 10,
       [](ConformanceFixture& s, std::uint64_t) { send(s, Octets(1'100, 0x01)); }},
      {"PINGs, and no answer is acknowledged", Side::server, 512 << 10,
       [](ConformanceFixture& s, std::uint64_t) {
         send(s, kPing);
         send(s, kPing);
       },
       mute},
      {"every second packet number", Side::server, 64 << 10,
       [](ConformanceFixture& s, std::uint64_t) {
         ++s.adversary.next_number(kOneRtt);
         send(s, kPing);
       }},
      {"every second packet number, downwards", Side::server, 64 << 10,
       [](ConformanceFixture& s, std::uint64_t round) {
         s.adversary.send(kOneRtt, kPing, {.number = 30'000 - 2 * round});
       }},
      {"the same acknowledged again and again", Side::server, 64 << 10,
       [](ConformanceFixture& s, std::uint64_t) {
         send(s, many(200, [](std::uint64_t) { return varints({0x02, 0, 0, 0, 0}); }));
       }},
      {"every second packet is acknowledged",
       Side::server,
       12 << 20,
       [](ConformanceFixture& s, std::uint64_t) {
         Octets out;
         for (const auto& heard : s.adversary.heard()) {
           if (heard.level != kOneRtt || heard.number % 2 != 0) continue;
           const Octets one = varints({0x02, heard.number, 0, 0, 0});
           out.insert(out.end(), one.begin(), one.end());
         }
         if (!out.empty() && out.size() < 1'300) send(s, out);
       },
       mute,
       {},
       has_very_much_to_send},
  };
  run_floods(floods);
}

// --- connection IDs and paths --------------------------------------------------------------------

TEST(Floods, OfConnectionIdsAndPaths) {
  const auto other_address = std::make_shared<SocketAddress>();
  const auto takes_another_address = [other_address](ConformanceFixture& s) {
    *other_address = s.adversary.second_address();
    send(s, join({new_connection_id(1, 0), new_connection_id(2, 0)}));
  };
  const auto challenges = [](std::uint64_t round) {
    return many(100, [&](std::uint64_t i) {
      Octets out(9, 0x1a);
      Writer(MutableBytes(out).subspan(1)).u64(round * 1'000 + i);
      return out;
    });
  };
  const std::vector<Flood> floods{
      {"NEW_CONNECTION_ID that retires all before it", Side::server, 64 << 10,
       [](ConformanceFixture& s, std::uint64_t round) {
         send(s, new_connection_id(round + 1, round + 1));
       }},
      {"the same NEW_CONNECTION_ID", Side::server, 64 << 10,
       [](ConformanceFixture& s, std::uint64_t) {
         send(s, many(30, [](std::uint64_t) { return new_connection_id(1, 0); }));
       }},
      {"RETIRE_CONNECTION_ID of whatever is given",
       Side::server,
       64 << 10,
       [](ConformanceFixture& s, std::uint64_t) {
         Octets out;
         s.adversary.each([&](const Adversary::Heard&, const wire::Frame& frame) {
           const auto* const one = std::get_if<wire::NewConnectionIdFrame>(&frame);
           if (one != nullptr) out = join({out, varints({0x19, one->sequence_number})});
         });
         send(s, join({out, kPing}));
       },
       {.parameters = [](wire::TransportParameters& p) { p.active_connection_id_limit = 1'000; }},
       {},
       [](ConformanceFixture& s) {
         Octets out;
         s.adversary.each([&](const Adversary::Heard&, const wire::Frame& frame) {
           const auto* const one = std::get_if<wire::NewConnectionIdFrame>(&frame);
           if (one != nullptr) out = join({out, varints({0x19, one->sequence_number})});
         });
         send(s, out);
       }},
      {"PATH_CHALLENGE", Side::server, 64 << 10,
       [&](ConformanceFixture& s, std::uint64_t round) { send(s, challenges(round)); }},
      {"PATH_CHALLENGE from elsewhere, unanswered",
       Side::server,
       1 << 20,
       [&](ConformanceFixture& s, std::uint64_t round) {
         s.adversary.send_raw(s.adversary.packet(kOneRtt, challenges(round)), *other_address);
       },
       {.acknowledges = false},
       {},
       takes_another_address},
      {"PATH_RESPONSE that answers nothing", Side::server, 64 << 10,
       [](ConformanceFixture& s, std::uint64_t) {
         send(s, many(100, [](std::uint64_t) { return Octets(9, 0x1b); }));
       }},
      {"packets from ever new addresses", Side::server, 128 << 10,
       [](ConformanceFixture& s, std::uint64_t round) {
         const auto from = SocketAddress::ipv4(
             {100, 64, static_cast<u8>(round >> 8), static_cast<u8>(round)}, 4433);
         s.adversary.send_raw(s.adversary.packet(kOneRtt, join({kPing, zeros(1'200)})), from);
       }},
      {"packets from two addresses in turn",
       Side::server,
       128 << 10,
       [&](ConformanceFixture& s, std::uint64_t round) {
         const SocketAddress from = round % 2 == 0 ? *other_address : s.adversary.address();
         s.adversary.send_raw(s.adversary.packet(kOneRtt, join({kPing, zeros(1'200)})), from);
       },
       {},
       {},
       takes_another_address},
  };
  run_floods(floods);
}

}  // namespace
}  // namespace qpeer::sim
