# shellcheck shell=sh
# Control groups as crun wants them: mounted at all, and on hybrid machines no controller left over in the v2 tree
# (crun before 1.9 refuses to start there). Never touches what is mounted already.

prepare_cgroups() {
  if ! grep -q ' cgroup2\? ' /proc/self/mounts; then
    say "mounting control groups"
    mount_cgroup2 || mount_cgroup1 || cgroups_failed
  fi
  [ -r /sys/fs/cgroup/unified/cgroup.controllers ] || return 0
  # A group of containers that uses them already has them for good; then the mount below says so.
  free=$(cat /sys/fs/cgroup/unified/cgroup.controllers)
  for controller in $free; do
    say "mounting the control group controller $controller (crun needs it out of the v2 tree)"
    mount_controller "$controller" || cgroups_failed
  done
}

mount_cgroup2() {
  grep -q cgroup2 /proc/filesystems || return 1
  # With controllers bound to v1 the v2 tree would be empty.
  ! awk '!/^#/ && $2 != 0 { found = 1 } END { exit !found }' /proc/cgroups 2>/dev/null || return 1
  mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 /sys/fs/cgroup 2>/dev/null
}

mount_cgroup1() {
  mount -t tmpfs -o mode=755,nosuid,nodev,noexec cgroup /sys/fs/cgroup 2>/dev/null || return 1
  # shellcheck disable=SC2013 # names of controllers hold no spaces
  for controller in $(awk '!/^#/ && $4 == 1 { print $1 }' /proc/cgroups); do
    mount_controller "$controller" || :
  done
}

mount_controller() {
  mkdir -p "/sys/fs/cgroup/$1" && mount -t cgroup -o "$1,nosuid,nodev,noexec" cgroup "/sys/fs/cgroup/$1" 2>/dev/null
}

# Remembered until the next boot, so that the launcher does not try at every start.
cgroups_failed() {
  say "control groups could not be mounted here; \"slipway doctor\" tells what that means for containers"
  : >/run/slipway-cgroups-tried
}
