# shellcheck shell=bash
# What more than one script needs. To be sourced by bash.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export root

die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# bench_is_up: true if the bench runs and is well
bench_is_up() {
  "$root/script/cluster" status >/dev/null
}

# bench_env: points this shell at the bench
bench_env() {
  local variables
  variables=$("$root/script/cluster" env)
  eval "$variables"
}
