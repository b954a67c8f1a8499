#!/usr/bin/env bash
# Start a real dockerd, detached, unless one answers; print `started` or `running` on stdout.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$here/common.sh"

SECONDS_TO_WAIT=60

if daemon_answers; then
    say "dockerd: one answers at $DOCKER_SOCKET already"
    echo running
    exit 0
fi
need_root
command -v dockerd >/dev/null || fail "there is no dockerd on this machine" "again  bash $here/install.sh"

run="$ENGINE_ROOT/run"
log="$ENGINE_ROOT/logs/dockerd.log"
# A daemon that was killed leaves pid files behind, and their numbers may belong to others by now.
rm -rf "$run"
mkdir -p "$run" "$ENGINE_ROOT/logs" "$ENGINE_ROOT/data"

# No --privileged and no ulimits in containers: this machine may lack CAP_SYS_RESOURCE.
setsid dockerd --data-root "$ENGINE_ROOT/data" --exec-root "$run/exec" --pidfile "$run/dockerd.pid" \
    --host "unix://$DOCKER_SOCKET" </dev/null >"$log" 2>&1 &
pid=$!
for ((waited = 0; waited < SECONDS_TO_WAIT * 5; waited++)); do
    if daemon_answers; then
        say "dockerd: $(docker info --format '{{.ServerVersion}}, {{.Driver}}, cgroup v{{.CgroupVersion}}') at $DOCKER_SOCKET"
        echo started
        exit 0
    fi
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.2
done
tail -n 20 "$log" >&2
kill "$pid" 2>/dev/null || true
fail "dockerd did not answer within $SECONDS_TO_WAIT s" "log    $log"
