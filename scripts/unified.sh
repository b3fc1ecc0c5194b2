#!/usr/bin/env bash
# Checks that tests of one crate use the same builds of what it depends on as tests of all; see workspace-hack/Cargo.toml.
# Usage: scripts/unified.sh
set -euo pipefail
cd "$(dirname "$0")/.."
case "${1:-}" in
  -h | --help) sed -n '2,3s/^# //p' "$0"; exit 0 ;;
esac
features() { # OPTION of cargo tree...      a line a package: name, version and features
  cargo tree --locked --offline --prefix none --no-dedupe --format '{p}|{f}' "$@" | sed -E 's/ \((\*|proc-macro)\)//g' | sort -u
}
all=$(features --workspace --edges normal,build,dev)
failed=0
same() { # WHAT OPTION...
  local other
  other=$(comm -13 <(printf '%s\n' "$all") <(features "${@:2}") | grep -vE "$own" || true)
  [ -z "$other" ] || { printf '%s builds anew:\n%s\n' "$1" "$other"; failed=1; }
}
for crate in peerlearn-{runtime,data,learner,network,harness,cli,testnet} peerlearn; do
  own="^$crate "
  same "testing $crate" --package "$crate" --edges normal,build,dev
done
# Programs go without what only tests and experiments ask of our own crates.
own='^peerlearn'
same 'the program' --edges normal,build
same 'the program of testnet' --package peerlearn-testnet --edges normal,build
[ "$failed" = 0 ] && echo "features are unified"
exit "$failed"
