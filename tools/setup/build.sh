# shellcheck shell=sh
# Builds the shim, the hello image and the bundle: each when one of its sources is newer than its stamp.
# shellcheck disable=SC2154 # root, here and build are set by setup.sh

# build_part NAME "WORDS" "SOURCES" COMMAND...: the stamp gets the time at which the build began, so an edit in between counts.
build_part() {
  part=$1 words=$2 sources=$3
  shift 3
  stamp=$build/stamps/$part
  # shellcheck disable=SC2086
  if [ -f "$stamp" ] && [ -z "$(cd "$root" && find $sources -newer "$stamp" -print -quit 2>&1)" ]; then
    return 0
  fi
  say "building $words"
  : >"$stamp.new"
  (cd "$root" && quietly "$@") || fail "building $words failed (see above)"
  mv "$stamp.new" "$stamp"
}

build_all() {
  : >"$build/stamps/all.new"
  build_part shim "the shim (C)" "shim" sh shim/build.sh
  build_part hello "the hello image" "hello tools/hello-image.ts" sh hello/build.sh "$build/node"
  build_part bundle "the program (TypeScript)" "src bin package.json package-lock.json tools/bundle.ts" "$build/node" tools/bundle.ts
  mv "$build/stamps/all.new" "$build/stamps/all"
}
