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
  "$root/script/cluster" status >/dev/null 2>&1
}

# bench_env: points this shell at the bench
bench_env() {
  local variables
  variables=$("$root/script/cluster" env)
  eval "$variables"
}

# bench_variables: the names of the variables that bench_env sets
bench_variables() {
  "$root/script/cluster" env | sed -n 's/^export \([A-Za-z_][A-Za-z_0-9]*\)=.*/\1/p'
}
