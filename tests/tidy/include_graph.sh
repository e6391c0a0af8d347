#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR BSD-3-Clause
# include_graph.sh [ROOT]: the rules of the house that a compiler does not check.
#
#   - a layer includes only layers below it; only crypto/openssl/*.cpp includes OpenSSL, only
#     p2p/async/upnp_parser.cpp libminiupnpc, only transport/io/*.cpp socket headers; p2p/ and cache/ reach io/ only
#     in their wrappers
#   - every include of ours begins with qpeer/ and goes on from the top of the repository, and is there
#   - a source includes the header of its own name first (so building it proves that header complete)
#   - the core reads no clock, no random device, takes no lock, throws nothing
#   - a header opens with #pragma once; files over 400 lines are told (not an error)
#
# Prints one line for each breach and exits 1 when there is any.
set -euo pipefail
export LC_ALL=C
cd "${1:-$(dirname "$0")/../..}"

trees=()
for tree in transport crypto cache p2p; do if [ -d "$tree" ]; then trees+=("$tree"); fi; done
[ ${#trees[@]} -gt 0 ] || { echo "no sources here: $PWD" >&2; exit 1; }
mapfile -t files < <(find "${trees[@]}" -name '*.hpp' -o -name '*.cpp' | sort)
[ ${#files[@]} -gt 0 ] || { echo "no sources here: $PWD" >&2; exit 1; }

status=0
awk '
function allow(layer, list,    n, part, i) {
  n = split(list, part, " ")
  for (i = 1; i <= n; ++i) allowed[layer, part[i]] = 1
  allowed[layer, layer] = 1
  known[layer] = 1
}
function layer_of(path,    part, n) {
  n = split(path, part, "/")
  if (n < 2) return ""
  if (part[1] == "transport") return part[2]
  if (part[1] == "crypto") return n > 2 && part[2] == "openssl" ? "openssl" : "crypto"
  if (part[1] == "p2p") return n > 2 && (part[2] == "async" || part[2] == "cli" || part[2] == "nat") ? "p2p_" part[2] : "p2p"
  if (part[1] == "cache") return "cache"
  return ""
}
function breach(text) { print FILENAME ":" FNR ": " text; failed = 1 }
BEGIN {
  core = "base crypto wire log recovery stream connection endpoint"
  allow("base", "")
  allow("crypto", "base")
  allow("openssl", "base crypto")
  allow("wire", "base")
  allow("log", "base wire crypto")
  allow("recovery", "base wire crypto log")
  allow("stream", "base wire log recovery")
  allow("connection", "base wire log recovery stream crypto")
  allow("endpoint", "base wire log recovery stream crypto connection")
  allow("io", "base")
  allow("async", core " openssl io")
  allow("qpeer", core " openssl io async cache p2p p2p_async")
  allow("cache", "base crypto")
  allow("p2p_nat", "base")
  allow("p2p", core " cache p2p_nat")
  allow("p2p_async", core " openssl cache p2p_nat p2p io async")
  allow("p2p_cli", core " openssl cache p2p_nat p2p io async qpeer p2p_async")
  outside["io"] = outside["async"] = outside["p2p_async"] = outside["p2p_cli"] = outside["openssl"] = 1
  sockets = "^(sys/(socket|epoll|poll|select|un|uio|eventfd|timerfd|ioctl)|netinet/.*|arpa/inet|netdb|poll|ifaddrs|net/if|linux/.*)[.]h$"
}
FNR == 1 {
  layer = layer_of(FILENAME)
  if (!(layer in known)) breach("\"" layer "\" is no layer")
  is_cpp = FILENAME ~ /[.]cpp$/
  if (pending != "") { print pending ": no #pragma once"; failed = 1 }
  pending = is_cpp ? "" : FILENAME
  own = FILENAME
  if (!is_cpp || !sub(/[.]cpp$/, ".hpp", own) || (getline line < own) < 0) own = ""
  else close(own)
}
own != "" && /^[ \t]*#[ \t]*(include|define)/ {
  if (index($0, "#include \"qpeer/" own "\"") != 1) breach("the first include must be \"qpeer/" own "\"")
  own = ""
}
/^#pragma once/ { pending = "" }
/^[ \t]*#[ \t]*include[ \t]*"/ {
  split($0, quoted, "\"")
  file = quoted[2]
  rooted = sub(/^qpeer\//, "", file)
  if (file !~ /\//) file = "transport/qpeer/" file  # What all of a layer is included by.
  target = layer_of(file)
  if (!rooted || target == "") breach("include \"" quoted[2] "\" does not begin with qpeer/ and a folder of ours")
  else if (!((layer, target) in allowed)) breach(layer " may not include " target " (" file ")")
  else if ((getline line < file) < 0) breach("include \"" quoted[2] "\" does not exist")
  close(file)
}
/^[ \t]*#[ \t]*include[ \t]*</ {
  name = $0
  sub(/^[^<]*</, "", name); sub(/>.*/, "", name)
  if (name ~ /^openssl\// && !(layer == "openssl" && is_cpp))
    breach("only crypto/openssl/*.cpp includes OpenSSL (" name ")")
  if (name ~ /^miniupnpc\// && FILENAME != "p2p/async/upnp_parser.cpp")
    breach("only p2p/async/upnp_parser.cpp includes libminiupnpc (" name ")")
  if (name ~ /^qpeer\//) breach("our own includes are quoted (" name ")")
  if (name ~ sockets && !(layer == "io" && is_cpp))
    breach("only transport/io/*.cpp includes socket headers (" name ")")
  if (name ~ /^(format|print|generator|iostream)$/) breach("<" name "> is not used in qpeer")
  next
}
!(layer in outside) {
  code = $0
  gsub(/"([^"\\]|\\.)*"/, "\"\"", code)
  sub(/\/\/.*/, "", code)
  if (code ~ /(steady|system|high_resolution|utc)_clock|clock_gettime|gettimeofday|std::time\(/)
    breach("the core reads no clock: time is an argument")
  if (code ~ /random_device|getrandom|arc4random|(^|[^a-z_])s?rand\(/)
    breach("the core has no randomness of its own: use the injected Random")
  if (code ~ /std::(mutex|atomic|thread|jthread|condition_variable|shared_mutex|this_thread)/)
    breach("the core has neither threads nor locks")
  if (code ~ /(^|[^a-z_])throw[ ;]|dynamic_cast|typeid *\(/) breach("the core throws nothing and needs no RTTI")
}
END {
  if (pending != "") { print pending ": no #pragma once"; failed = 1 }
  exit failed
}' "${files[@]}" || status=1

for folder in */; do
  case ${folder%/} in
    transport | crypto | p2p | cache | tests | bench | fuzz | docs | scripts | build) ;;
    *) echo "${folder%/}: no such top-level folder is planned"; status=1 ;;
  esac
done

while read -r lines file; do
  if [ "$lines" -gt 400 ] && [ "$file" != total ]; then echo "warning: $file has $lines lines (over 400)"; fi
done < <(find "${trees[@]}" tests bench fuzz -name '*.[ch]pp' -exec wc -l {} +)

[ $status = 0 ] && echo "${#files[@]} files keep the rules"
exit $status
