#!/usr/bin/env bash
# Changes mixing and codecs one operator at a time and reports which changes no test notices; see protocols/MUTANTS.md.
# Usage: scripts/mutants.sh [OPTION of cargo mutants...]      for example --shard 0/4, --file '**/ios.rs' or --list
set -euo pipefail
cd "$(dirname "$0")/.."
case "${1:-}" in
  -h | --help) sed -n '2,3s/^# //p' "$0"; exit 0 ;;
esac
export PATH="${CARGO_TARGET_DIR:-$PWD/target}/tools/bin:$PATH"
if ! cargo mutants --version >/dev/null 2>&1; then
  echo "cargo mutants is missing: cargo install cargo-mutants --locked --root ${CARGO_TARGET_DIR:-$PWD/target}/tools" >&2
  exit 1
fi
out="${CARGO_TARGET_DIR:-$PWD/target}"
# Every mutant is built anew: lightly optimised, without debug information, and only the tests of what is mutated.
export CARGO_TARGET_DIR="$out/mutants" CARGO_INCREMENTAL=1 CARGO_PROFILE_DEV_OPT_LEVEL=1 CARGO_PROFILE_DEV_DEBUG=0
case " $* " in
  *" --file "* | *" -f "*) files=() ;;
  *) files=(--file 'protocols/core/src/mixing/**' --file protocols/core/src/mixing.rs --file 'protocols/core/src/codec/**' --file protocols/core/src/codec.rs) ;;
esac
exec cargo mutants --package peerlearn-protocols --features parallel "${files[@]}" --exclude-re 'impl fmt::' \
  --jobs 1 --timeout 60 --cargo-arg=--lib --output "$out" "$@" -- -- mixing:: codec:: wire::
