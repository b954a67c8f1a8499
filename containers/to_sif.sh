#!/bin/sh
# Convert an image to a SIF file, for Apptainer or Singularity; needs a POSIX shell, neither root nor Python.
#
#   sh to_sif.sh SOURCE DIGEST TARGET
#
#   SOURCE  docker-archive:FILE (of `docker save`) or docker://HOST/PATH/IMAGE@sha256:...
#   DIGEST  the image's id, sha256:...: `docker image inspect --format '{{.Id}}' IMAGE`
#   TARGET  FOLDER/IMAGE-<the first 12 digits of DIGEST>.sif
#
# APPTAINER names the command (apptainer), APPTAINER_TMPDIR the folder to unpack in (/tmp), APPTAINER_CACHEDIR where it
# keeps what it fetches (below the home folder), IMAGE_KB the size of what a registry sends, if known.
# The file appears whole or not at all. `python -m tasks images convert` calls this script.
set -eu

fail() { # what failed, then one line each of what was said and what to do
    printf 'ERROR: %s\n' "$1" >&2
    shift
    [ $# -eq 0 ] || printf '  %s\n' "$@" >&2
    exit 1
}

need_room() { # a folder, the kilobytes that it needs, the setting that names it
    free="$(df -Pk "$1" | awk 'NR == 2 { print $4 }')"
    [ "$free" -ge "$2" ] || fail "$1 has $((free / 1024)) MB free, and converting this image takes $(($2 / 1024)) MB there" \
        "free space, or name another folder: $3"
}

[ $# -eq 3 ] || fail "usage: sh $0 SOURCE DIGEST TARGET" "the first lines of the script say what they are"
source="$1" digest="$2" target="$3"
command="${APPTAINER:-apptainer}"
temporary="${APPTAINER_TMPDIR:-${TMPDIR:-/tmp}}"
folder="$(dirname "$target")"
partial="$target.$(uname -n).$$.partial"
work=""
trap '[ -z "$work" ] || rm -rf "$work" "$partial"' EXIT
trap 'exit 129' HUP; trap 'exit 130' INT; trap 'exit 143' TERM

case "$digest" in sha256:????????????*) ;; *) fail "the digest $digest is not of the form sha256:..." ;; esac
[ ! -e "$target" ] || { echo "$target is there already"; exit 0; }
command -v "$command" >/dev/null || fail "there is no command $command" "module load apptainer, or name it: APPTAINER=..."
mkdir -p "$folder" "$temporary"

case "$source" in
docker-archive:*)
    archive="${source#docker-archive:}" bootstrap=docker-archive from="${source#docker-archive:}" keep=--disable-cache
    [ -f "$archive" ] || fail "there is no file $archive" "docker save --output $archive IMAGE, where docker is"
    tar -xOf "$archive" manifest.json 2>/dev/null | grep -q "${digest#sha256:}" ||
        fail "$archive does not hold the image $digest"
    size="$(du -k "$archive" | awk '{ print $1 }')"
    # Measured: unpacked it takes 1.4 times the archive, its layers packed again 0.4, the SIF file 0.4.
    need_room "$temporary" $((size * 2)) "APPTAINER_TMPDIR, [apptainer] tmp"
    need_room "$folder" $((size / 2)) "TARGET, [apptainer] images"
    ;;
docker://*)
    bootstrap=docker from="${source#docker://}" keep="" size="${IMAGE_KB:-0}"
    cache="${APPTAINER_CACHEDIR:-$HOME}"
    mkdir -p "$cache"
    need_room "$temporary" $((size * 4)) "APPTAINER_TMPDIR, [apptainer] tmp"
    need_room "$cache" $((size * 5 / 4)) "APPTAINER_CACHEDIR, [apptainer] cache"
    need_room "$folder" $((size * 5 / 4)) "TARGET, [apptainer] images"
    ;;
*) fail "the source $source is neither docker-archive:FILE nor docker://..." ;;
esac

work="$(mktemp -d "$temporary/to_sif.XXXXXX")"
cat >"$work/definition" <<DEFINITION
Bootstrap: $bootstrap
From: $from

%labels
    org.platewright.digest $digest
DEFINITION
export APPTAINER_TMPDIR="$work" SINGULARITY_TMPDIR="$work"
# shellcheck disable=SC2086  # no word where nothing is to be kept
"$command" build $keep "$partial" "$work/definition" </dev/null >"$work/said" 2>&1 || {
    said="$(grep -v -e '^INFO' -e '^WARN' -e 'warn rootless' "$work/said" | tail -n 3)"
    if grep -q -i -e 'no space left' -e 'quota exceeded' "$work/said"; then
        fail "a disk or quota is full: $said" "free space in $temporary, $folder or ${cache:-$temporary}; or name others:" \
            "APPTAINER_TMPDIR, TARGET, APPTAINER_CACHEDIR; [apptainer] tmp, images, cache"
    fi
    fail "$command could not convert $source: $said"
}
chmod 644 "$partial"
mv "$partial" "$target"
