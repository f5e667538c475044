#!/bin/sh
# Builds the shim when its sources are newer: build.sh [musl|glibc|sanitize|analyze]
#   musl      static and stripped: build/shim/slipway-shim (the product; falls back to glibc where musl-gcc is missing)
#   glibc     build/shim/slipway-shim-glibc
#   sanitize  with address and undefined-behaviour checks: build/shim/slipway-shim-sanitize
#   analyze   compiles with the static analyser and warnings as errors; builds nothing
# shellcheck disable=SC2086 # lists of flags are words
set -eu
kind=${1:-musl}
here=$(cd "$(dirname "$0")" && pwd)
out=$(dirname "$here")/build/shim
warnings='-std=gnu17 -Wall -Wextra -Werror -Wshadow -Wformat=2 -Wno-format-nonliteral -Wstrict-prototypes -Wmissing-prototypes'
common="$warnings -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64"
small='-Os -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables -Wl,--gc-sections -s'

compiler=gcc
case $kind in
  musl)
    target=$out/slipway-shim
    if command -v musl-gcc >/dev/null 2>&1; then compiler=musl-gcc; fi
    flags="$small -static"
    ;;
  glibc) target=$out/slipway-shim-glibc flags="$small -static" ;;
  sanitize) target=$out/slipway-shim-sanitize flags='-g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all' ;;
  analyze)
    for file in "$here"/*.c; do gcc $common -O1 -fanalyzer -c -o /dev/null "$file"; done
    exit 0
    ;;
  *) echo "build.sh: musl, glibc, sanitize or analyze" >&2; exit 2 ;;
esac

if [ -x "$target" ] && [ -z "$(find "$here" -maxdepth 1 -name '*.[ch]' -newer "$target" -o -maxdepth 1 -name build.sh -newer "$target" | head -n 1)" ]; then
  exit 0
fi
mkdir -p "$out"
# Into a name of our own first: two builds at once, or a running shim, are no matter.
$compiler $common $flags -o "$target.$$" "$here"/*.c
mv -f "$target.$$" "$target"
