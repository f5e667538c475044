#!/bin/sh
# npm test: sets up what is missing, then runs the checks and all tests; says what the run left on the machine, if anything.
# With arguments it runs those test files only, without the checks.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
sh "$root/tools/setup/setup.sh" test
cd "$root"
exec env PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin" "$root/build/node" tools/run-tests.ts "$@"
