#!/usr/bin/env bash
# Stop the dockerd that start_docker.sh started, and wait until it is gone; another one is left alone.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$here/common.sh"

pidfile="$ENGINE_ROOT/run/dockerd.pid"
[ -f "$pidfile" ] || { say "dockerd: none of ours is running"; exit 0; }
pid="$(cat "$pidfile")"
[ "$(cat "/proc/$pid/comm" 2>/dev/null)" = dockerd ] || { say "dockerd: gone already"; exit 0; }
kill -TERM "$pid"
for ((waited = 0; waited < 150; waited++)); do # it gives its containers 10 s to end
    [ -d "/proc/$pid" ] || { say "dockerd: stopped"; exit 0; }
    sleep 0.2
done
fail "dockerd (process $pid) did not stop within 30 s" "log    $ENGINE_ROOT/logs/dockerd.log"
