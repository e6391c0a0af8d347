#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR BSD-3-Clause
# ca_test.sh BIN_DIR: an authority is made once, issues certificates for peers, and overwrites nothing.
set -euo pipefail
qpeer=$(realpath -- "$1")/qpeer
# shellcheck source=tests/cli/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
begin_test ca
mode() { [ "$(stat -c %a "$2")" = "$1" ] || fail "$2 has mode $(stat -c %a "$2"), should be $1"; }
umask 022

# --- the authority ------------------------------------------------------------------------------
expect 0 "$qpeer" ca init net --name "our network"
says "made net/ca.pem and net/ca.key, good for 3650 days"
mode 600 net/ca.key
mode 644 net/ca.pem
cp -r net before
expect 1 "$qpeer" ca init net
says "net/ca.key: there is such a file already"
diff -r net before || fail "a second init changed something"
mkdir half
cp net/ca.pem half/
expect 1 "$qpeer" ca init half
says "half/ca.pem: there is such a file already"
[ "$(ls -A half)" = ca.pem ] || fail "an init that failed left something: $(ls -A half)"
expect 1 "$qpeer" ca init no/such/folder
says "no/such/folder: No such file or directory"

# --- what it issues -----------------------------------------------------------------------------
expect 0 "$qpeer" ca issue net --name a.test --name 192.0.2.7 --days 30
says "made net/a.test.pem and net/a.test.key, good for 30 days, id "
mode 600 net/a.test.key
mode 644 net/a.test.pem
id=$(sed 's/.* id //' out)
cat net/a.test.key net/a.test.pem >whole
chmod 600 whole
[ "$("$qpeer" id --key whole)" = "$id" ] || fail "the id is not that of the key"
expect 1 "$qpeer" ca issue net --name a.test
says "net/a.test.key: there is such a file already"
[ "$(cat net/a.test.key net/a.test.pem)" = "$(cat whole)" ] || fail "a certificate was overwritten"
expect 0 "$qpeer" ca issue net --name b.test --out peer --json
[[ $(<out) =~ ^\{\"id\":\"[a-z2-7]{56}\",\"names\":\[\"b.test\"\],\"certificate\":\"peer.pem\",\"key\":\"peer.key\",\"days\":365\}$ ]] ||
  { fail "not the JSON that was expected"; cat out; }
expect 1 "$qpeer" ca issue net --name ca
says "net/ca.key: there is such a file already"
diff net/ca.key before/ca.key || fail "the authority's key changed"
[ "$(find net -type f | sort | xargs)" = "net/a.test.key net/a.test.pem net/ca.key net/ca.pem" ] ||
  fail "net holds more: $(find net)"
if command -v openssl >/dev/null; then
  for usage in sslserver sslclient; do
    expect 0 openssl verify -x509_strict -CAfile net/ca.pem -purpose "$usage" -verify_hostname a.test net/a.test.pem
    expect 0 openssl verify -x509_strict -CAfile net/ca.pem -purpose "$usage" -verify_ip 192.0.2.7 net/a.test.pem
  done
else
  echo "skipped: another implementation's opinion"
fi

# --- what is no authority -----------------------------------------------------------------------
mkdir empty leaf
expect 1 "$qpeer" ca issue empty --name a
says "empty/ca.pem: No such file or directory"
cp peer.pem leaf/ca.pem
cp peer.key leaf/ca.key
expect 1 "$qpeer" ca issue leaf --name a
says "its certificate is not that of an authority"
chmod 644 before/ca.key
expect 1 "$qpeer" ca issue before --name a
says "others than its owner may use this key"

end_test
