#!/usr/bin/env bash
# Make the image of a cluster's nodes: Debian trixie with Slurm, munge, Python and git, and the Apptainer of sid.
#
# The tests of Apptainer and of Slurm run in containers of it (this machine's own Debian is too old for Apptainer). The
# machine's CA bundle is inside, so that pip trusts what this machine trusts. It holds a user, scientist, who has neither
# root nor a range of subordinate ids: what works as her works at a site that gives her nothing.
# shellcheck disable=SC2016  # the hooks of mmdebstrap are expanded by mmdebstrap
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$here/common.sh"

PACKAGES=(
    ca-certificates python3 python3-venv make git procps iproute2       # a login node, and what the toolkit needs on it
    slurmd slurmctld slurm-client munge                                 # the scheduler
    squashfs-tools squashfuse fuse3 uidmap libseccomp2 apptainer        # the engine; from sid, all else from trixie
)
CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt
PINS='Package: *\nPin: release n=sid\nPin-Priority: 1\n\nPackage: apptainer\nPin: release n=sid\nPin-Priority: 500\n'
work="$ENGINE_ROOT/bases"
log="$ENGINE_ROOT/logs/hpc.log"

make_root() { # a Debian root as a tar
    local rules=() rule archive
    archive="$(debian_archive)"
    mapfile -t rules < <(apt_date_rules)
    for rule in "${!rules[@]}"; do rules[rule]="--aptopt=${rules[rule]}"; done
    mmdebstrap --quiet --dpkgopt=force-unsafe-io --variant=minbase --include="$(IFS=,; echo "${PACKAGES[*]}")" "${rules[@]}" \
        --setup-hook="printf '$PINS' >\"\$1/etc/apt/preferences.d/apptainer\"" \
        --customize-hook="install -m 644 $CA_BUNDLE \"\$1\"$CA_BUNDLE" \
        --customize-hook='chroot "$1" useradd --uid 1000 --create-home --shell /bin/bash scientist' \
        --customize-hook=': >"$1/etc/subuid"; : >"$1/etc/subgid"' \
        trixie "$1" "deb $archive trixie main" "deb $archive sid main" </dev/null >"$log" 2>&1 ||
        { tail -n 20 "$log" >&2; fail "mmdebstrap could not make a node's Debian root" "log    $log"; }
}

make_image() { # its recipe
    make_root "$work/hpc.tar"
    docker import --change "LABEL $RECIPE_LABEL=$1" \
        --change "ENV LANG=C.UTF-8 PIP_CERT=$CA_BUNDLE SSL_CERT_FILE=$CA_BUNDLE REQUESTS_CA_BUNDLE=$CA_BUNDLE" \
        --change 'CMD ["bash"]' "$work/hpc.tar" "$HPC_IMAGE" >/dev/null
    rm -f "$work/hpc.tar"
}

check() { # what is not found here is found by no test
    docker run --rm --network none "$HPC_IMAGE" sh -ec \
        'apptainer --version; slurmctld -V; slurmd -V; python3 -m venv --help >/dev/null; git --version; id scientist' >"$log" 2>&1 ||
        fail "the image $HPC_IMAGE is broken" "log    $log" "again  docker rmi $HPC_IMAGE && bash $0"
}

daemon_answers || fail "no Docker daemon answers" "again  bash $here/start_docker.sh"
mkdir -p "$work" "$ENGINE_ROOT/logs"
recipe="$(cat "${BASH_SOURCE[0]}" "$CA_BUNDLE" <(debian_archive) <(apt_date_rules) | sha256sum | cut -c1-16)"
if [ -n "$(docker images --quiet --filter "label=$RECIPE_LABEL=$recipe" "$HPC_IMAGE")" ]; then
    say "nodes: $HPC_IMAGE is up to date"
else
    say "nodes: making $HPC_IMAGE (Debian trixie with Slurm and Apptainer, about two minutes)"
    make_image "$recipe"
    check
    say "nodes: $(head -n 2 "$log" | paste -sd,)"
fi
