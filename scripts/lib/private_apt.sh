# shellcheck shell=bash
# private_apt.sh: Debian packages and sources without touching the machine's own apt. Sourced, never
# run; needs common.sh.
#
# A configuration of its own in a folder of its own (sources, lists, cache) asks the mirrors that this
# machine's apt already uses, through the proxy that it already uses, and checks what comes against
# Debian's archive keyring. The machine's lists, sources and packages stay as they are.

PRIVATE_APT_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

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
  local dir=$1 line
  shift
  [ -e "$PRIVATE_APT_KEYRING" ] || return 1
  rm -rf "$dir/lists"
  mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial" "$dir/empty"
  for line; do echo "${line%% *} [signed-by=$PRIVATE_APT_KEYRING] ${line#* } main"; done >"$dir/sources.list"
  cat >"$dir/apt.conf" <<CONF
Dir::Etc::main "$dir/last.conf";
Dir::Etc::sourcelist "$dir/sources.list";
Dir::Etc::sourceparts "$dir/empty";
Dir::Etc::preferences "$dir/preferences";
Dir::Etc::preferencesparts "$dir/empty";
Dir::State::lists "$dir/lists";
Dir::Cache "$dir/cache";
Acquire::Retries "3";
Acquire::Languages "none";
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
Debug::NoLocking "true";
CONF
  # Read last: the machine's own settings (a proxy, say), but none of its hooks.
  {
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
