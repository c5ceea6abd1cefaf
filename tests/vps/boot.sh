#!/bin/bash
# Boot systemd over an overlay of this machine's root, in namespaces of its own.
# boot.sh DIR NAME: first stage, in a mount namespace: a cgroup for this host alone; then the others.
set -euo pipefail
dir=$1 name=$2 stage=${3:-outer}
if [ "$stage" = outer ]; then
    mount --make-rprivate /
    mkdir -p "$dir"/{cgroup,overlay,root}
    mount -t cgroup2 cgroup2 "$dir/cgroup"
    mkdir -p "$dir/cgroup/$name"
    echo $$ >"$dir/cgroup/$name/cgroup.procs"
    umount "$dir/cgroup"
    exec unshare --pid --mount --net --uts --ipc --cgroup --fork --kill-child \
        bash "${BASH_SOURCE[0]}" "$dir" "$name" inner
fi
root=$dir/root
# changes stay in memory: no fsync of the guest waits for the disk that the tests share
mount -t tmpfs -o size=4g tmpfs "$dir/overlay"
mkdir "$dir"/overlay/{upper,work}
mount -t overlay overlay -o "lowerdir=/,upperdir=$dir/overlay/upper,workdir=$dir/overlay/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
for one in run tmp dev; do mount -t tmpfs -o mode=755 tmpfs "$root/$one"; done
chmod 1777 "$root/tmp"
mkdir "$root"/dev/{pts,shm}
chmod 1777 "$root/dev/shm"
for one in null zero full random urandom tty; do
    touch "$root/dev/$one"
    mount --bind "/dev/$one" "$root/dev/$one"
done
mount -t devpts devpts -o newinstance,ptmxmode=0666 "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
hostname "$name"
echo "$name" >"$root/etc/hostname"
rm -f "$root/etc/machine-id"
systemd-id128 new >"$root/etc/machine-id"
# what a Postern on this machine keeps is none of the new one's
rm -rf "$root"/etc/postern "$root"/var/{lib,spool,backups}/postern*
while IFS= read -r line; do # "SOURCE TARGET": shown read-only at TARGET
    mkdir -p "$root/${line#* }"
    mount --bind "${line% *}" "$root/${line#* }"
    mount -o remount,bind,ro "$root/${line#* }"
done <"$dir/binds"
ip link set lo up
cd "$root"
pivot_root . . # one over the other; the upper one is the old
umount -l .
mount --make-rshared / # as systemd has it on every machine: the credentials that it mounts for a unit are seen there
exec env -i container=postern-test PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --system --unit=basic.target --log-target=journal
