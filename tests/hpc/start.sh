#!/usr/bin/env bash
# Start a node of the site: munged, and what the node is there for (slurmctld, slurmd, sleep).
set -euo pipefail

# The nodes share the key as they share nothing else of theirs: the first node makes it.
if [ ! -s /etc/munge/munge.key ]; then
    dd if=/dev/urandom of=/etc/munge/new.key bs=1024 count=1 status=none
    mv /etc/munge/new.key /etc/munge/munge.key
fi
chown -R munge: /etc/munge
chmod 700 /etc/munge
chmod 400 /etc/munge/munge.key
mkdir -p /run/munge /var/spool/slurmctld /var/spool/slurmd
chown munge: /run/munge
su -s /bin/sh munge -c '/usr/sbin/munged --force'
# As on a machine that is no container: every user may mount by FUSE.
chmod a+rw /dev/fuse
case "$1" in
    slurmctld | slurmd) exec "$1" -D ;;
    *) exec "$@" ;;
esac
