#!/bin/bash
# Run an image's program as `docker run --read-only --cap-drop ALL --security-opt no-new-privileges` would: as process 1
# of namespaces of its own, over the image's files.
# run.sh ROOT MOUNTS USER COMMAND...: with the environment for it in MOUNTS.env, one NAME=value a line.
# MOUNTS has lines "bind SOURCE TARGET", "bind-ro SOURCE TARGET", "tmpfs OPTIONS TARGET".
set -euo pipefail
root=$1 mounts=$2 user=$3
shift 3
mount --make-rprivate /
mount --bind "$root" "$root" # a mount of its own, to be made read-only
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t tmpfs -o mode=755,nosuid tmpfs "$root/dev"
mkdir "$root"/dev/{pts,shm}
mount -t tmpfs -o mode=1777,nosuid,nodev,noexec tmpfs "$root/dev/shm"
for one in null zero full random urandom tty; do
    touch "$root/dev/$one"
    mount --bind "/dev/$one" "$root/dev/$one"
done
ln -s /proc/self/fd "$root/dev/fd"
while read -r kind source target; do
    case $kind in
    tmpfs) mount -t tmpfs -o "nosuid,nodev,noexec,$source" tmpfs "$root$target" ;;
    bind*)
        if [ -d "$source" ]; then mkdir -p "$root$target"; else mkdir -p "$root${target%/*}" && touch "$root$target"; fi
        mount --bind "$source" "$root$target"
        [ "$kind" = bind ] || mount -o remount,bind,ro "$root$target"
        ;;
    esac
done <"$mounts"
mount -o remount,bind,ro "$root"
ip link set lo up
mapfile -t environment <"$mounts.env"
cd "$root"
pivot_root . . # one over the other; the upper one is the old
umount -l .
cd /
exec setpriv --reuid="${user%:*}" --regid="${user#*:}" --clear-groups --bounding-set=-all --inh-caps=-all \
    --no-new-privs -- env -i --chdir=/data "${environment[@]}" "$@"
