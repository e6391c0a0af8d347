# SPDX-License-Identifier: MIT OR BSD-3-Clause
# shellcheck shell=bash
# peers.sh: how to run each stack, ours included, as a server or a client. Sourced by scripts/interop.sh.
#
# server_NAME and client_NAME set the array `command`. They read:
#   host port        where the server is to listen, or whom the client is to call
#   www certificate key authorities out   files and folders
#   files            what the client is to fetch, without a slash
#   flags            extra words for this one
#   state            a folder for what a client remembers from one connection to the next
# shellcheck disable=SC2034,SC2154

PEERS="ngtcp2 quic-go aioquic xnet deno quiche nginx haproxy"
peers_folder=$(cache_folder)/peers
examples=$peers_folder/debian13/usr/share/doc/python-aioquic-doc/examples

is_server_only() { case $1 in nginx | haproxy) true ;; *) false ;; esac; }

# install_peer NAME: false, with the reason on standard error, when it cannot be had here
install_peer() {
  if [ "$1" = ngtcp2 ]; then
    ngtcp2=$("$tests/ngtcp2_peer.sh")
  else
    "$tests/peers/install.sh" "$1"
  fi
}

version_of() { # of an installed peer
  if [ "$1" = ngtcp2 ]; then
    basename "$(realpath "$peers_folder/ngtcp2")" | tr - ' '
  else
    cat "$peers_folder/made/$1"
  fi
}

literal() { case $1 in *:*) echo "[$1]" ;; *) echo "$1" ;; esac; }

urls() { # into the array `urls`; the name as the certificate has it
  local name=$host
  if [ "$host" = 127.0.0.1 ]; then name=localhost; fi
  urls=("${files[@]/#/https://$(literal "$name"):$port/}")
}
paths() { paths=("${files[@]/#//}"); }

# debian_program PROGRAM WORD...: one of the Debian 13 tree, with that tree's loader and libraries
debian_program() {
  local tree=$peers_folder/debian13
  command=(env "PYTHONHOME=$tree/usr" PYTHONDONTWRITEBYTECODE=1 OPENSSL_CONF=/dev/null
    "$tree/usr/lib64/ld-linux-x86-64.so.2" --library-path "$tree/usr/lib/x86_64-linux-gnu"
    --argv0 "$1" "$tree$1" "${@:2}")
}

fill() { # fill TEMPLATE NAME=VALUE...: each @NAME@ is replaced
  local text pair
  text=$(<"$1")
  shift
  for pair; do text=${text//"@${pair%%=*}@"/"${pair#*=}"}; done
  printf '%s\n' "$text"
}

# Everyone gets a minute for the handshake, and for a silence, so that no program gives up before the case does: with
# losses a probe time-out grows to tens of seconds.

# --- qpeer --------------------------------------------------------------------------------------
server_qpeer() {
  command=("$bin/qpeer-hq" serve --www "$www" --cert "$certificate" --key "$key" --address "$host" --port "$port" \
    --timeout 60 --idle-timeout 60 "${flags[@]}")
}
client_qpeer() {
  urls
  command=("$bin/qpeer-hq" get -o "$out" --ca "$authorities" --timeout 60 --idle-timeout 60 "${flags[@]}" "${urls[@]}")
}

# --- ngtcp2 -------------------------------------------------------------------------------------
server_ngtcp2() {
  command=("$ngtcp2/bin/h09server" --no-quic-dump --no-http-dump --mime-types-file=/dev/null -d "$www"
    --handshake-timeout=60s --timeout=60s "${flags[@]}" "$host" "$port" "$key" "$certificate")
}
client_ngtcp2() {
  urls
  command=("$ngtcp2/bin/h09client" --no-quic-dump --no-http-dump --exit-on-all-streams-close "--download=$out"
    --handshake-timeout=60s --timeout=60s "${flags[@]}" "$host" "$port" "${urls[@]}")
}

# --- Go -----------------------------------------------------------------------------------------
server_quic-go() {
  command=("$peers_folder/bin/qgo" server "${flags[@]}" "$(literal "$host"):$port" "$www" "$key" "$certificate")
}
client_quic-go() {
  paths
  command=("$peers_folder/bin/qgo" client -ca "$authorities" "${flags[@]}" "$(literal "$host"):$port" "$out" "${paths[@]}")
}
server_xnet() {
  command=("$peers_folder/bin/xnq" server "${flags[@]}" "$(literal "$host"):$port" "$www" "$key" "$certificate")
}
client_xnet() {
  paths
  command=("$peers_folder/bin/xnq" client -ca "$authorities" "${flags[@]}" "$(literal "$host"):$port" "$out" "${paths[@]}")
}

# --- aioquic ------------------------------------------------------------------------------------
server_aioquic() {
  debian_program /usr/bin/python3 "$examples/http3_server.py" "${flags[@]}" --host "$host" --port "$port" -c "$certificate" -k "$key"
  command=(env "STATIC_ROOT=$www" "${command[@]}")
}
client_aioquic() { # flags: a word of aioquic_client.py first, or none
  urls
  local program=("$examples/http3_client.py") words=("${flags[@]}")
  case ${flags[0]-} in
    reserved | migrate) program=("$tests/peers/aioquic_client.py" "${flags[0]}" "${program[@]}") words=("${flags[@]:1}") ;;
  esac
  debian_program /usr/bin/python3 "${program[@]}" --legacy-http --ca-certs "$authorities" --output-dir "$out" "${words[@]}" "${urls[@]}"
}

# --- npm ----------------------------------------------------------------------------------------
deno() {
  command=(env "DENO_DIR=$peers_folder/npm/deno/cache" DENO_NO_UPDATE_CHECK=1
    "$peers_folder/npm/deno/node_modules/@deno/linux-x64-glibc/deno" run -q --no-remote --unstable-net -A
    "$tests/peers/deno.ts" "$@")
}
server_deno() { deno server "$host" "$port" "$www" "$key" "$certificate"; }
client_deno() {
  paths
  deno client "$host" "$port" "$out" "$authorities" "${paths[@]}" "${flags[@]}"
}
server_quiche() {
  command=(node "$peers_folder/npm/quiche/quiche.mjs" server "$host" "$port" "$www" "$key" "$certificate" "${flags[@]}")
}
client_quiche() {
  paths
  local session=
  if [ "$steps" = 2 ]; then session=$state/session; fi
  command=(env "SESSION=$session" node "$peers_folder/npm/quiche/quiche.mjs" client "$host" "$port" "$out" "${paths[@]}" "${flags[@]}")
}

# --- servers only -------------------------------------------------------------------------------
server_nginx() { # flags: "retry", or directives that end in ';'
  local retry=off directives=() word user=
  for word in "${flags[@]}"; do
    if [ "$word" = retry ]; then retry=on; else directives+=("$word"); fi
  done
  if [ "$(id -u)" = 0 ]; then user="user root;"; fi
  fill "$tests/peers/nginx.conf.in" "SCRATCH=$state" "ADDRESS=$(literal "$host"):$port" "WWW=$www" \
    "CERT=$certificate" "KEY=$key" "RETRY=$retry" "USER=$user" "EXTRA=${directives[*]}" >"$state/nginx.conf"
  debian_program /usr/sbin/nginx -p "$state" -e stderr -c "$state/nginx.conf"
}
server_haproxy() { # flags: words of the bind line
  local family=quic4 backend=
  case $host in *:*) family=quic6 ;; esac
  cat "$certificate" "$key" >"$state/site.pem"
  # A plain HTTP server of the files, which picks a free port and says which.
  debian_program /usr/bin/python3 -u -m http.server 0 --bind 127.0.0.1 -d "$www"
  start_child "$state/backend.log" "${command[@]}"
  helpers+=("$child")
  for _ in {1..100}; do
    backend=$(sed -n 's/.* port \([0-9]*\) .*/\1/p' "$state/backend.log")
    [ -z "$backend" ] || break
    sleep 0.05
  done
  fill "$tests/peers/haproxy.cfg.in" "BIND=$family@$host:$port" "PEM=$state/site.pem" "BACKEND=$backend" \
    "EXTRA=${flags[*]}" >"$state/haproxy.cfg"
  debian_program /usr/sbin/haproxy -db -f "$state/haproxy.cfg"
}
