# SPDX-License-Identifier: MIT OR BSD-3-Clause
# shellcheck shell=bash
# private_apt.sh: Debian packages and sources without touching the machine's own apt. Sourced, never
# run; needs common.sh.
#
# A configuration of its own in a folder of its own (sources, lists, cache) asks the mirrors that this
# machine's apt already uses, through the proxy that it already uses, and checks what comes against
# Debian's archive keyring. The machine's lists, sources and packages stay as they are.

PRIVATE_APT_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# How a repository is checked, as an option of its line in sources.list; false when it cannot be. A test
# replaces this function, and nothing else, to serve packages of its own.
private_apt_trust() {
  [ -e "$PRIVATE_APT_KEYRING" ] && echo "signed-by=$PRIVATE_APT_KEYRING"
}

own_codename() { # bookworm, trixie, ...
  # shellcheck source=/dev/null
  (. /etc/os-release && echo "${VERSION_CODENAME-}")
}

# own_mirrors [SUFFIX]: the addresses from which this machine's apt gets Debian's main section, or, with
# a SUFFIX such as -security, that suite of it. From its lists, or, before a first update, from what an
# update would ask for.
own_mirrors() {
  local codename suffix=${1-}
  codename=$(own_codename)
  {
    apt-get indextargets --format '$(REPO_URI)|$(CODENAME)|$(RELEASE)|$(COMPONENT)' 'Created-By: Packages' 2>/dev/null |
      awk -F'|' -v own="$codename$suffix" '$4 == "main" && ($2 == own || $3 == own) { print $1 }' || true
    apt-get update --print-uris 2>/dev/null |
      sed -n -E "s#^'(.*/)dists/($codename|oldstable|stable|testing|unstable|sid)$suffix/InRelease' .*#\1#p" || true
  } | awk '!seen[$0]++'
}

# private_apt_create DIR LINE...: a configuration in DIR with these sources, each "deb URI SUITE" or
# "deb-src URI SUITE". False when a download could not be checked.
private_apt_create() {
  local dir=$1 line trust
  shift
  trust=$(private_apt_trust) || return 1
  rm -rf "$dir/lists" "$dir/preferences"
  mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial" "$dir/empty" &&
    for line; do echo "${line%% *} [$trust] ${line#* } main"; done >"$dir/sources.list" &&
    cat >"$dir/apt.conf" <<CONF &&
Dir::Etc::main "$dir/last.conf";
Dir::Etc::sourcelist "$dir/sources.list";
Dir::Etc::sourceparts "$dir/empty";
Dir::Etc::preferences "$dir/preferences";
Dir::Etc::preferencesparts "$dir/empty";
Dir::State::lists "$dir/lists";
Dir::Cache "$dir/cache";
Acquire::Retries "2";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
Acquire::Languages "none";
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
Debug::NoLocking "true";
CONF
    { # Read last: the machine's own settings (a proxy, say), but none of its hooks.
      if [ -e /etc/apt/apt.conf ]; then echo '#include "/etc/apt/apt.conf";'; fi
      printf '#clear %s;\n' APT::Update::Pre-Invoke APT::Update::Post-Invoke APT::Update::Post-Invoke-Success \
        DPkg::Pre-Invoke DPkg::Post-Invoke DPkg::Pre-Install-Pkgs
    } >"$dir/last.conf"
}

private_apt() { # private_apt DIR COMMAND...: run an apt command with the configuration in DIR
  local dir=$1
  shift
  APT_CONFIG=$dir/apt.conf quietly "$@"
}

# private_apt_repositories SUITE: "URI SUITE" lines, where that suite, its -security and its -updates may be
# had, asking the servers that this machine's apt asks.
private_apt_repositories() {
  local suite=$1 uri
  for uri in $(own_mirrors ""); do
    printf '%s\n' "$uri $suite" "$uri $suite-updates"
  done
  for uri in $(own_mirrors -security); do echo "$uri $suite-security"; done
}

# private_apt_update DIR: fetches the indexes; true when at least one of them came
private_apt_update() {
  QUIETLY_LINES=2 private_apt "$1" apt-get -q update || ls "$1"/lists/*_Packages* "$1"/lists/*_Sources* >/dev/null 2>&1
}

# private_apt_source DIR SUITE PACKAGE: the newest source package that can be had, verified and unpacked into
# DIR/source. Every version that an index of the suite names is tried, newest first: a mirror may list what it
# no longer has, or not yet. Sets $source_version; or, when false, $tried: a line for each thing tried.
private_apt_source() {
  local dir=$1 suite=$2 package=$3 number=0 repository offers='' version at status why
  tried=()
  while read -r repository; do
    at=$dir/repository-$((++number))
    if ! why=$(private_apt_create "$at" "deb-src $repository" 2>&1); then
      tried+=("$repository: ${why:-it cannot be checked without $PRIVATE_APT_KEYRING}")
      continue
    fi
    status=0
    private_apt "$at" timeout 120 apt-get -q update 2>"$dir/why" || status=$?
    if [ $status != 0 ]; then
      tried+=("$repository: $(last_error "$dir/why")")
      continue
    fi
    offers+=$(APT_CONFIG=$at/apt.conf apt-cache showsrc --only-source "$package" 2>/dev/null |
      sed -n "s#^Version: \(.*\)#\1|$at|$repository#p" | sort -u)$'\n'
  done < <(private_apt_repositories "$suite")
  while IFS='|' read -r version at repository; do
    [ -n "$version" ] || continue
    rm -rf "$dir/download" "$dir/source"
    mkdir "$dir/download"
    if (cd "$dir/download" && private_apt "$at" timeout 600 apt-get -q source --download-only "$package=$version" 2>"$dir/why") &&
      quietly dpkg-source --no-check -x "$dir/download/${package}"_*.dsc "$dir/source" 2>"$dir/why"; then
      source_version=$version
      return 0
    fi
    tried+=("$package $version of $repository: $(last_error "$dir/why")")
  done < <(printf '%s' "$offers" | sort -t '|' -k 1,1Vr -s)
  [ ${#tried[@]} -gt 0 ] || tried=("nothing: this machine's apt names no mirror of Debian")
  rm -rf "$dir/download" "$dir/source"
  return 1
}

last_error() { # last_error FILE: what a failed command has to say, in one line
  local line
  line=$(grep -E '404|[Ee]rror|E: |Could not|No space|timed out|W: ' "$1" |
    grep -v -E 'E: (Failed to fetch some archives|Some index files failed)' | tail -n 1) || true
  if [ -z "$line" ]; then line=$(tail -n 1 "$1"); fi
  echo "${line:-it failed without a word}" | sed -E 's/^[EW]: //; s/ +/ /g' | cut -c 1-300
}

# leave_out_missing SAID PREFERENCES: when SAID, what an apt command had to say, names packages that the mirror
# lists and does not have, these versions are no candidates any more; false when it names none
leave_out_missing() {
  local missing package version
  missing=$(sed -n -E 's#^E: Failed to fetch [^ ]*/([^/_ ]+)_([^_ ]+)_[^_ ]+\.deb +(404|Hash Sum|File has unexpected size).*#\1 \2#p' "$1" |
    sed 's/%7e/~/g; s/%3a/:/g; s/%2b/+/g' | sort -u)
  [ -n "$missing" ] || return 1
  { # First, for the first that matches counts.
    while read -r package version; do # A file's name lacks the epoch.
      printf 'Package: %s\nPin: version %s\nPin-Priority: -1\n\n' "$package" "$version" "$package" "*:$version"
    done <<<"$missing"
    if [ -e "$2" ]; then cat "$2"; fi
  } >"$2.new"
  mv "$2.new" "$2"
}

# private_apt_packages DIR COMMAND...: an apt command that downloads packages. When the mirror has not what
# its index names, that version is left out of account, and the command tried again with the next one.
private_apt_packages() {
  local dir=$1 rounds
  shift
  for ((rounds = 0; rounds < 20; ++rounds)); do
    if private_apt "$dir" "$@" 2>"$dir/why"; then return 0; fi
    leave_out_missing "$dir/why" "$dir/preferences" || break
  done
  tail -n "${QUIETLY_LINES:-15}" "$dir/why" >&2
  return 1
}

# unpack_packages TO FILE...: unpack package files into the folder TO without installing anything. tar
# replaces a link to a folder by a folder rather than follow it, so nothing lands outside TO.
unpack_packages() {
  local to=$1 file
  shift
  mkdir -p "$to"
  for file; do
    dpkg-deb --fsys-tarfile "$file" | tar -x -C "$to" --no-same-owner || return 1
  done
}
