#!/bin/sh
# One element of an array: runs its jobs one after the other, and says of each how it ended.
#
# Called by a scheduler with the array's folder (tasks/runtime/arrays/array_folder.py), the element's index from 0, and
# the array's id; Slurm says the last two by its variables. The array's file `elements` has a line a job: the element's
# index, seconds, the job's folder, between tabs. A job that has an end is not run again, and none is begun once the array
# is cancelled or forgotten: so a late or repeated start of an element does no harm.
set -u
array=$1
index=${2:-$SLURM_ARRAY_TASK_ID}
where="${SLURMD_NODENAME:-$(hostname)}"
id="${3:-$SLURM_ARRAY_JOB_ID}"_"$index"
tab="$(printf '\t')"

is_wanted() { [ -e "$array/elements" ] && [ ! -e "$array/cancelled" ]; }

if ! is_wanted; then
    echo "$where: $array is not there, or was cancelled" >&2
    exit 66
fi

# Written whole under another name: who looks meanwhile sees all of it or nothing.
tell_end() { # the job's name, exit code, seconds, whether it took too long
    printf '{"exit_code": %d, "seconds": %d, "timed_out": %s, "where": "%s", "id": "%s"}\n' \
        "$2" "$3" "$4" "$where" "$id" >"$array/ended/.$1" && mv "$array/ended/.$1" "$array/ended/$1"
}

run_job() { # seconds, the job's folder
    mkdir -p "$2/tmp" && cd "$2/tmp" || return
    began=$(date +%s)
    timeout --kill-after=10 "$1" sh "$2/command" </dev/null >"$2/stdout.log" 2>"$2/stderr.log"
    code=$?
    took=$(($(date +%s) - began))
    late=false
    if [ $code -eq 124 ] || { [ $code -eq 137 ] && [ "$took" -ge "${1%.*}" ]; }; then late=true; fi
    cd "$array" && rm -rf "$2/tmp" && mkdir "$2/tmp" # the command that repeats the job names it
    tell_end "${2##*/}" $code $took $late
}

# A scheduler ends the program by a signal, and this script by the same: then nothing is begun any more.
trap 'exit 143' TERM

grep "^$index$tab" "$array/elements" | while IFS="$tab" read -r _ seconds folder; do
    [ -e "$array/ended/${folder##*/}" ] && continue
    is_wanted || break
    run_job "$seconds" "$folder"
done
