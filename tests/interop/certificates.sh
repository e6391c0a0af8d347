#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR BSD-3-Clause
# certificates.sh DIR: a test authority (ca.crt) and a server certificate of each kind of key, made by it:
# p256, rsa, ed25519 and large (p256 with 6 kB of names), each DIR/KIND.crt (the leaf, then the authority) and
# DIR/KIND.key. They are good for localhost, 127.0.0.1 and ::1. The leaf is no authority itself, for some stacks refuse one that is.
set -euo pipefail
[ $# = 1 ] || { echo "usage: tests/interop/certificates.sh DIR" >&2; exit 2; }
command -v openssl >/dev/null || { echo "certificates.sh: 'openssl' is missing: run scripts/setup.sh" >&2; exit 2; }
mkdir -p "$1"
cd "$1"
umask 077

make_key() { # make_key KIND FILE
  case $1 in
    p256 | large) openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$2" ;;
    rsa) openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$2" ;;
    ed25519) openssl genpkey -quiet -algorithm ED25519 -out "$2" ;;
  esac
}

cat >openssl.cnf <<'CONF'
[req]
distinguished_name = name
prompt = no
[name]
CN = localhost
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth, clientAuth
subjectAltName = DNS:localhost, IP:127.0.0.1, IP:::1
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
CONF
names=$(printf ', DNS:a-name-that-only-makes-it-large-%03d.test' {1..130})
sed '/^\[leaf\]/,$!d; s/^\[leaf\]/[large]/; s/^subjectAltName.*/&'"$names/" openssl.cnf >large.cnf
cat large.cnf >>openssl.cnf
make_key p256 ca.key
openssl req -new -x509 -config openssl.cnf -extensions authority -subj "/CN=qpeer test authority" \
  -key ca.key -days 3650 -out ca.crt
for kind in p256 rsa ed25519 large; do
  extensions=leaf
  if [ $kind = large ]; then extensions=large; fi
  make_key "$kind" "$kind.key"
  openssl req -new -config openssl.cnf -key "$kind.key" -out leaf.csr
  openssl x509 -req -in leaf.csr -CA ca.crt -CAkey ca.key -CAserial serial -CAcreateserial -days 3650 \
    -extfile openssl.cnf -extensions $extensions -out leaf.crt 2>/dev/null
  cat leaf.crt ca.crt >"$kind.crt"
done
rm -f leaf.csr leaf.crt serial openssl.cnf large.cnf
