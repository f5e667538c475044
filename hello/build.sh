#!/bin/sh
# Builds build/hello/hello (static) and, with the Node named as first argument, its image build/hello/hello.tar.
set -eu
cd "$(dirname -- "$0")/.."
node=${1:-node}
compiler=gcc
! command -v musl-gcc >/dev/null 2>&1 || compiler=musl-gcc
mkdir -p build/hello
# shellcheck disable=SC2086
$compiler -std=c17 -D_GNU_SOURCE -Os -static -s -ffunction-sections -fdata-sections -Wl,--gc-sections -fstack-protector-strong \
  -Wall -Wextra -Werror -Wshadow -Wformat=2 -ffile-prefix-map="$PWD"=. -Wl,--build-id=none -Wl,-z,noseparate-code \
  -o build/hello/hello.new hello/main.c hello/facts.c hello/page.c hello/web.c
mv build/hello/hello.new build/hello/hello
"$node" tools/hello-image.ts
