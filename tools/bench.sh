#!/bin/sh
# npm run bench: sets up what is missing, then measures; arguments choose the measurements (see tools/bench/README.md).
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
sh "$root/tools/setup/setup.sh" run
cd "$root"
exec env PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin" "$root/build/node" tools/bench/bench.ts "$@"
