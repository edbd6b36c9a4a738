#!/bin/sh
# Process 1 of namespaces of its own: makes a system of this one's files, with
# what is installed below $DEST put over them, and becomes its systemd. Only the
# units of Posthorn are known there. $SCRATCH is an empty folder.
set -eu
mount --make-rprivate /
mount -t tmpfs tmpfs "$SCRATCH"
root=$SCRATCH/root
mkdir "$SCRATCH/up" "$SCRATCH/work" "$root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$SCRATCH/up,workdir=$SCRATCH/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
mount --rbind /dev "$root/dev"
rm -rf "$root/etc/posthorn" "$root/var/spool/posthorn" "$root/var/mail/posthorn"
cp -r "$DEST/." "$root/"
cp "$CONF" "$root/etc/posthorn/posthorn.conf"

in_root() { chroot "$root" "$@" </dev/null; }
in_root systemd-sysusers /usr/lib/sysusers.d/posthorn.conf
in_root systemd-tmpfiles --create /usr/lib/tmpfiles.d/posthorn.conf
echo secret | chroot "$root" posthorn user add ann
in_root posthorn check

units=$root/run/units
cp -r "$DEST/usr/lib/systemd/system" "$units"
for name in sysinit basic sockets shutdown network network-online nss-lookup multi-user; do
	printf '[Unit]\nDefaultDependencies=no\n' >"$units/$name.target"
done
printf '[Unit]\nRequires=basic.target\n' >"$units/default.target"
printf '[Service]\nStandardOutput=append:/run/test.log\nStandardError=append:/run/test.log\n' >"$units/posthorn-.service.d/test.conf"
# As systemctl enable: what the [Install] sections say.
mkdir "$units/posthorn.target.wants" "$units/default.target.wants"
ln -s ../posthorn.target "$units/default.target.wants/"
sed -n 's/^Also=//p' "$units/posthorn.target" | while read -r unit; do
	grep -q '^WantedBy=posthorn.target$' "$units/$unit"
	ln -s "../$unit" "$units/posthorn.target.wants/"
done
exec unshare --cgroup chroot "$root" /usr/bin/env -i container=posthorn-test SYSTEMD_UNIT_PATH=/run/units \
	PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system --log-target=null --show-status=no
