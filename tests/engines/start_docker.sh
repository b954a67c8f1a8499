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
mkdir -p "$run/exec" "$ENGINE_ROOT/logs" "$ENGINE_ROOT/data"

# A daemon that was killed may leave its containerd running, which holds the data; and it leaves pid files behind, whose
# numbers may belong to others by now. The rest of its folder it needs, to end the containers that outlived it.
orphan="$(cat "$run/exec/containerd/containerd.pid" 2>/dev/null || true)"
if [[ -n "$orphan" && "$(readlink "/proc/$orphan/exe")" == */containerd* ]]; then
    say "dockerd: an earlier one was killed; stopping the containerd (process $orphan) that it left"
    kill -TERM "$orphan" || true
    timeout 20 tail --pid="$orphan" -f /dev/null || kill -KILL "$orphan" || true
fi
rm -f "$run/dockerd.pid" "$run/exec/containerd/containerd.pid"

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
