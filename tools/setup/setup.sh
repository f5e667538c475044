#!/bin/sh
# Brings what is missing to run Slipway from this clone (setup.sh run) or to test it (setup.sh test). Says each step in one
# line on stderr; does again only what is stale; waits for another one that is at it.
set -eu
purpose=${1:-run}
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
here=$root/tools/setup
build=$root/build

# shellcheck source=tools/setup/say.sh
. "$here/say.sh"
# shellcheck source=tools/setup/packages.sh
. "$here/packages.sh"
# shellcheck source=tools/setup/node.sh
. "$here/node.sh"
# shellcheck source=tools/setup/cgroups.sh
. "$here/cgroups.sh"
# shellcheck source=tools/setup/build.sh
. "$here/build.sh"

if [ "$(id -u)" -ne 0 ]; then
  say "Slipway has to be set up on this machine first, and that needs root. Please run:"
  say "    sudo $root/slipway version"
  exit 1
fi

PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export PATH
mkdir -p "$build/stamps"
# One at a time per clone; packages and mounts are the machine's, and dpkg has its own lock.
if command -v flock >/dev/null 2>&1; then
  exec 9>"$build/setup.lock"
  flock 9
fi

install_packages "$purpose"
bring_node
prepare_cgroups
build_all
