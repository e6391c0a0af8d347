// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Transport parameters: what decodes is within its ranges, fits the stated size and round-trips.
#include <vector>

#include "qpeer/fuzz/check.hpp"
#include "qpeer/transport/wire/flow_frames.hpp"
#include "qpeer/transport/wire/transport_parameters.hpp"

using namespace qpeer;
using fuzz::check;
using wire::TransportParameters;

namespace {

void check_ranges(const TransportParameters& parameters) {
  check(parameters.ack_delay_exponent <= 20 && parameters.max_ack_delay_ms < 1 << 14);
  check(parameters.max_udp_payload_size >= 1200 && parameters.active_connection_id_limit >= 2);
  check(parameters.initial_max_streams_bidi <= wire::kMaxStreams);
  check(parameters.initial_max_streams_uni <= wire::kMaxStreams);
  if (parameters.preferred_address) check(!parameters.preferred_address->connection_id.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  for (const Side sender : {Side::client, Side::server}) {
    const auto parameters = TransportParameters::decode({data, size}, sender);
    if (!parameters) {
      check(parameters.error().code == TransportErrorCode::transport_parameter_error);
      continue;
    }
    check_ranges(*parameters);
    std::vector<u8> storage(TransportParameters::kMaxEncodedSize);
    Writer out{storage};
    parameters->encode(out);
    check(out.ok());

    // Of a long list of available versions some are dropped, the chosen one perhaps: a server's
    // may be missing, so decode as that.
    const auto back = TransportParameters::decode(out.written(), Side::server);
    check(back.has_value());
    check(*back == *parameters);
  }
  return 0;
}
