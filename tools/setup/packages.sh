# shellcheck shell=sh
# Packages of the distribution; the list is in the file "packages" beside this one.
# shellcheck disable=SC2154 # root, here and build are set by setup.sh

# install_packages run|test: what is missing of the list.
install_packages() {
  missing=$(missing_packages "$1" debian)
  [ -n "$missing" ] || return 0
  if ! command -v apt-get >/dev/null 2>&1; then
    say "these programs are missing, and only Debian and Ubuntu are set up automatically. Please install:"
    say "    $(other_command "$1")"
    exit 1
  fi
  say "installing $missing"
  # shellcheck disable=SC2086 # names of packages are words
  if ! have_lists || ! apt install -y --no-install-recommends $missing 2>/dev/null; then
    # A fresh machine has no lists, an old one has lists of versions that are gone.
    apt update || fail "the list of packages cannot be fetched: check the network and /etc/apt/sources.list"
    apt install -y --no-install-recommends $missing || fail "apt-get could not install: $missing"
  fi
}

have_lists() {
  for list in /var/lib/apt/lists/*_Packages*; do
    [ ! -e "$list" ] || return 0
  done
  return 1
}

apt() {
  DEBIAN_FRONTEND=noninteractive quietly apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=2 "$@"
}

# missing_packages run|test debian|fedora|alpine|arch: names of the packages whose program or file is not there.
missing_packages() {
  wanted=$1
  system=$2
  while read -r when probe debian fedora alpine arch; do
    case $when in
      run | build) ;;
      test) [ "$wanted" = test ] || continue ;;
      *) continue ;;
    esac
    case $system in
      debian) name=$debian ;;
      fedora) name=$fedora ;;
      alpine) name=$alpine ;;
      *) name=$arch ;;
    esac
    [ "$name" != - ] || continue
    case $probe in
      /*) [ -e "$probe" ] || printf '%s ' "$name" ;;
      *) command -v "$probe" >/dev/null 2>&1 || printf '%s ' "$name" ;;
    esac
  done <"$here/packages"
}

other_command() {
  if command -v dnf >/dev/null 2>&1; then
    echo "dnf install $(missing_packages "$1" fedora)"
  elif command -v apk >/dev/null 2>&1; then
    echo "apk add $(missing_packages "$1" alpine)"
  elif command -v pacman >/dev/null 2>&1; then
    echo "pacman -S $(missing_packages "$1" arch)"
  else
    echo "$(missing_packages "$1" debian)(by Debian's names)"
  fi
}
