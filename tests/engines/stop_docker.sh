#!/usr/bin/env bash
# Stop the dockerd that start_docker.sh started, wait until it is gone, and unmount what it left; another one is left alone.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$here/common.sh"

# A daemon that has ended may leave its data and its containers' networks mounted, and a mounted folder cannot be deleted.
unmount_what_is_left() {
    local folder
    awk -v root="$(realpath "$ENGINE_ROOT")/" 'index($5, root) == 1 { print $5 }' /proc/self/mountinfo | sort -r |
        while read -r folder; do umount "$folder" || umount --lazy "$folder"; done
}

pidfile="$ENGINE_ROOT/run/dockerd.pid"
[ -f "$pidfile" ] || { say "dockerd: none of ours is running"; exit 0; }
pid="$(cat "$pidfile")"
[ "$(cat "/proc/$pid/comm" 2>/dev/null)" = dockerd ] || { say "dockerd: gone already"; exit 0; }
kill -TERM "$pid"
for ((waited = 0; waited < 150; waited++)); do # it gives its containers 10 s to end
    [ -d "/proc/$pid" ] || { unmount_what_is_left; say "dockerd: stopped"; exit 0; }
    sleep 0.2
done
fail "dockerd (process $pid) did not stop within 30 s" "log    $ENGINE_ROOT/logs/dockerd.log"
