#!/bin/sh
# npm run bench: sets up what is missing, then measures; arguments choose the measurements (names and --rounds, see tools/bench/bench.ts).
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
sh "$root/tools/setup/setup.sh" test
cd "$root"
exec env PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin" SLIPWAY_TEST_PROGRAM="$root/build/slipway/slipway.js" "$root/build/node" tools/bench/bench.ts "$@"
