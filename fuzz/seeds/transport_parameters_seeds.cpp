// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include <array>

#include "qpeer/fuzz/seeds/corpus.hpp"
#include "qpeer/transport/wire/transport_parameters.hpp"

namespace qpeer::fuzz {

void add_seeds(Corpus& corpus) {
  const auto add = [&corpus](const wire::TransportParameters& parameters) {
    Input storage(wire::TransportParameters::kMaxEncodedSize);
    Writer out{storage};
    parameters.encode(out);
    storage.resize(out.size());
    corpus.add(storage);
  };
  const std::array<u8, 8> id{1, 2, 3, 4, 5, 6, 7, 8};
  wire::TransportParameters parameters;
  add(parameters);
  parameters.initial_source_connection_id = ConnectionId(id);
  parameters.max_idle_timeout_ms = 30'000;
  parameters.initial_max_data = 1 << 20;
  parameters.initial_max_stream_data_bidi_local = 1 << 16;
  parameters.disable_active_migration = true;
  add(parameters);
  parameters.original_destination_connection_id = ConnectionId(id);
  parameters.retry_source_connection_id = ConnectionId(id);
  parameters.stateless_reset_token = StatelessResetToken{7};
  parameters.max_datagram_frame_size = 65'535;
  parameters.min_ack_delay_us = 1000;
  parameters.address_discovery = {.provide = true, .request = true};
  add(parameters);
}

}  // namespace qpeer::fuzz
