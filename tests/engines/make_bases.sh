#!/usr/bin/env bash
# Make the stand-ins for the public base images: Debian bookworm with Python 3.11, and the same with Python 3.9.
#
# Where no registry answers, the images are built upon these (`python -m tasks images build --base NAME=IMAGE`).
# The machine's CA bundle is inside, so that pip trusts what this machine trusts; never ship an image built upon them.
# shellcheck disable=SC2016  # the hooks of mmdebstrap are expanded by mmdebstrap
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$here/common.sh"

CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt
work="$ENGINE_ROOT/bases"
log="$ENGINE_ROOT/logs/bases.log"

recipe_of() { docker image inspect --format "{{index .Config.Labels \"$RECIPE_LABEL\"}}" "$1" 2>/dev/null || true; }

# The folder of the machine's own CPython 3.9. With pyenv, python3.9 is a shim that needs to be told every version.
python_39_prefix() {
    local versions=""
    ! command -v pyenv >/dev/null || versions="$(pyenv versions --bare | paste -sd:)"
    PYENV_VERSION="$versions" python3.9 -c 'import sys; print(sys.base_prefix)' 2>/dev/null ||
        { command -v uv >/dev/null && dirname "$(dirname "$(realpath "$(uv python find 3.9)")")"; }
}

make_root() { # a Debian root as a tar
    local lines=() rules=() rule
    mapfile -t lines < <(debian_archives | sed 's/^/deb /')
    mapfile -t rules < <(apt_date_rules)
    for rule in "${!rules[@]}"; do rules[rule]="--aptopt=${rules[rule]}"; done
    mmdebstrap --quiet --dpkgopt=force-unsafe-io --variant=minbase --include=ca-certificates,python3,python3-venv "${rules[@]}" \
        --customize-hook="install -m 644 $CA_BUNDLE \"\$1\"$CA_BUNDLE" \
        --customize-hook='ln -s python3 "$1/usr/bin/python"' \
        bookworm "$1" "${lines[@]}" </dev/null >"$log" 2>&1 ||
        { tail -n 20 "$log" >&2; fail "mmdebstrap could not make a Debian root" "log    $log"; }
}

make_python_311() {
    make_root "$work/root.tar"
    docker import --change "LABEL $RECIPE_LABEL=$1" \
        --change "ENV LANG=C.UTF-8 PIP_CERT=$CA_BUNDLE SSL_CERT_FILE=$CA_BUNDLE REQUESTS_CA_BUNDLE=$CA_BUNDLE" \
        --change 'CMD ["python3"]' "$work/root.tar" "$BASE_PYTHON_311" >/dev/null
    rm -f "$work/root.tar"
}

# /usr/local as in the public image: an interpreter with pip, and nothing of the machine's own site-packages.
make_python_39() {
    local prefix="$2" context="$work/python-3.9"
    rm -rf "$context"
    mkdir -p "$context/local"
    tar -C "$prefix" --exclude='*/site-packages/*' --exclude='*/test' --exclude='*/__pycache__' --exclude='*.a' \
        -cf - bin/python3.9 include lib | tar -C "$context/local" --no-same-owner -xf -
    find "$context/local/lib" \( -name '_sysconfigdata*.py' -o -name Makefile \) -exec sed -i "s#$prefix#/usr/local#g" {} +
    ln -s python3.9 "$context/local/bin/python3"
    ln -s python3 "$context/local/bin/python"
    cat >"$context/Dockerfile" <<DOCKERFILE
FROM $BASE_PYTHON_311
COPY local/ /usr/local/
RUN ldconfig && python3.9 -m ensurepip --default-pip
LABEL $RECIPE_LABEL=$1
DOCKERFILE
    docker build --quiet --tag "$BASE_PYTHON_39" "$context" >/dev/null
    rm -rf "$context"
}

check() { # an image, its Python's version: it runs as anybody and finds its shared libraries
    docker run --rm --user 4321:4321 --network none --read-only "$1" python3 -c \
        'import bz2, ctypes, lzma, readline, sqlite3, ssl, sys, venv, zlib; assert sys.version.startswith(sys.argv[1]), sys.version' "$2" ||
        fail "the base $1 is broken: its Python $2 does not import its standard library" "again  docker rmi $1 && bash $0"
}

daemon_answers || fail "no Docker daemon answers" "again  bash $here/start_docker.sh"
mkdir -p "$work" "$ENGINE_ROOT/logs"
recipe="$(cat "${BASH_SOURCE[0]}" "$CA_BUNDLE" <(debian_archives) <(apt_date_rules) | sha256sum | cut -c1-16)"
if [ "$(recipe_of "$BASE_PYTHON_311")" = "$recipe" ]; then
    say "base: $BASE_PYTHON_311 is up to date"
else
    say "base: making $BASE_PYTHON_311 (Debian bookworm, about a minute)"
    make_python_311 "$recipe"
    check "$BASE_PYTHON_311" 3.11
fi
prefix="$(python_39_prefix)" || true
[ -x "$prefix/bin/python3.9" ] || fail "no CPython 3.9 on this machine to copy into the base python-3.9" \
    "pyenv install 3.9, or: uv python install 3.9"
[ "$prefix" != /usr ] || fail "this machine's CPython 3.9 belongs to the system (/usr) and cannot be copied into a base"
recipe="$(echo "$recipe $("$prefix/bin/python3.9" -VV)" | sha256sum | cut -c1-16)"
if [ "$(recipe_of "$BASE_PYTHON_39")" = "$recipe" ]; then
    say "base: $BASE_PYTHON_39 is up to date"
else
    say "base: making $BASE_PYTHON_39 (upon the first, with the CPython of $prefix)"
    make_python_39 "$recipe" "$prefix"
    check "$BASE_PYTHON_39" 3.9
fi
