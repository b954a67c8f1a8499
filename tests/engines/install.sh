#!/usr/bin/env bash
# Install a Docker Engine, Compose v2, buildx, a browser, and what the project's environments are compiled with
# (Debian 12, root).
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$here/common.sh"
need_root

PACKAGES=(
    ca-certificates git make procps                       # what a bare machine may lack
    docker.io iptables mmdebstrap docker-registry         # the engine, its bridge, the base images, a registry
    openjdk-17-jdk-headless default-libmysqlclient-dev    # the process engine compiles two packages of CellProfiler
    pkg-config gcc libc6-dev
    chromium fonts-dejavu-core                            # the report is opened and clicked in it
)
# The explorer's page is bundled anew and compared. Any Node.js of 18 or later does, so one that is there stays.
command -v npm >/dev/null || PACKAGES+=(nodejs npm)
# Not in bookworm. From trixie they need libc6 >= 2.34 only, so these two files fit, and nothing else comes from there.
PLUGINS=(docker-compose docker-buildx)

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

missing() {
    local name
    for name in "$@"; do installed "$name" || printf '%s\n' "$name"; done
}

install_packages() {
    local wanted
    mapfile -t wanted < <(missing "${PACKAGES[@]}")
    if [ ${#wanted[@]} -eq 0 ]; then
        say "Debian packages: all ${#PACKAGES[@]} are there"
        return
    fi
    say "Debian packages: installing ${wanted[*]}"
    apt-get update -qq || fail "apt-get update failed" "its own words stand above; check this machine's apt sources"
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        -o Dpkg::Options::=--force-confold "${wanted[@]}" </dev/null >"$log" 2>&1 ||
        { tail -n 20 "$log" >&2; fail "apt-get install ${wanted[*]} failed" "log    $log"; }
}

# A second apt state (lists, cache, sources) downloads from trixie, so that this machine's own apt never sees it.
trixie_apt() {
    apt-get -o Dir::Etc::SourceList="$trixie/sources.list" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::State::Lists="$trixie/lists" -o Dir::Cache="$trixie/cache" \
        -o APT::Sandbox::User=root "$@"
}

install_plugins() {
    local wanted
    mapfile -t wanted < <(missing "${PLUGINS[@]}")
    if [ ${#wanted[@]} -eq 0 ]; then
        say "Docker plugins: ${PLUGINS[*]} are there"
        return
    fi
    say "Docker plugins: installing ${wanted[*]} from trixie"
    trixie="$ENGINE_ROOT/trixie"
    mkdir -p "$trixie/lists/partial" "$trixie/cache/archives/partial" "$trixie/debs"
    printf 'deb [signed-by=%s] %s trixie main\n' \
        /usr/share/keyrings/debian-archive-keyring.gpg "$(debian_archive)" >"$trixie/sources.list"
    trixie_apt update -qq || fail "could not read Debian trixie's package list" "archive $(debian_archive)"
    rm -f "$trixie/debs"/*.deb
    (cd "$trixie/debs" && trixie_apt download -qq "${wanted[@]}") ||
        fail "could not download ${wanted[*]} from Debian trixie"
    dpkg --install "$trixie/debs"/*.deb </dev/null >"$log" 2>&1 ||
        { tail -n 20 "$log" >&2; fail "dpkg could not install ${wanted[*]}" "log    $log"; }
}

mkdir -p "$ENGINE_ROOT/logs"
log="$ENGINE_ROOT/logs/install.log"
install_packages
install_plugins
docker compose version >/dev/null || fail "docker compose does not answer" "client $(command -v docker)"
docker buildx version >/dev/null || fail "docker buildx does not answer" "client $(command -v docker)"
say "ready: $(docker --version), $(docker compose version), $(docker buildx version | cut -d' ' -f1-2)"
