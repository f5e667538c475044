# shellcheck shell=sh
# Words to the person, on stderr: what a program prints on stdout stays its own.

say() {
  printf '%s\n' "slipway: $*" >&2
}

fail() {
  say "$*"
  exit 1
}

# Runs a noisy program silently; shows all it said when it fails.
quietly() {
  noise=$(mktemp)
  if "$@" >"$noise" 2>&1 9>&-; then
    rm -f "$noise"
  else
    status=$?
    cat "$noise" >&2
    rm -f "$noise"
    return "$status"
  fi
}
