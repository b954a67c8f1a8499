# shellcheck shell=bash disable=SC2034,SC2016
# Shared by the scripts of this folder and by .ci/run; sourced, never run. Names, folders, words and clocks.

# The daemon's data lies outside the clone and survives a run: base images and build layers are its cache.
ENGINE_ROOT="${ENGINE_ROOT:-/var/tmp/platewright-engine}"
DOCKER_SOCKET="/var/run/docker.sock"
BASE_PYTHON_311="platewright-test/python:3.11"
BASE_PYTHON_39="platewright-test/python:3.9"
HPC_IMAGE="platewright-test/hpc:local"
RECIPE_LABEL="platewright.test.recipe"

say() { printf '[engines] %s\n' "$*" >&2; }

fail() { # what failed, then one line each of what to do about it
    printf 'ERROR: %s\n' "$1" >&2
    shift
    [ $# -eq 0 ] || printf '  %s\n' "$@" >&2
    exit 1
}

need_root() {
    [ "$(id -u)" -eq 0 ] || fail "${0##*/} must run as root (it installs packages and starts a daemon)" \
        "again  sudo bash $0"
}

daemon_answers() { DOCKER_HOST="unix://$DOCKER_SOCKET" timeout 10 docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

# The Debian archives this machine is set up to use, one line "uri suite components" each.
debian_archives() {
    apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' 'Created-By: Packages' |
        awk '$2 ~ /^bookworm/ && $3 == "main"' | sort -u
}

# The archive of the release itself, where its other suites (trixie) lie too.
debian_archive() {
    local uri
    uri="$(debian_archives | awk '$2 == "bookworm" { print $1; exit }')"
    [ -n "$uri" ] || fail "no Debian bookworm archive among this machine's apt sources" \
        "apt-get indextargets lists what there is; this script knows Debian 12 only"
    printf '%s\n' "$uri"
}

# How this machine wants archives to be trusted (clock checks), as apt's own configuration lines.
apt_date_rules() { apt-config dump Acquire::Check-Valid-Until; apt-config dump Acquire::Check-Date; }
