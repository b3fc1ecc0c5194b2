#!/usr/bin/env bash
# Checks everything that must hold before a change lands: format, lints, arrows, docs, tests.
# Usage: scripts/check.sh [--fast]      --fast leaves out documentation and the lints of other feature sets
set -euo pipefail
cd "$(dirname "$0")/.."
case "${1:-}" in
  -h | --help) sed -n '2,3s/^# //p' "$0"; exit 0 ;;
esac
fast=${1:-}
step() { printf '\n== %s\n' "$*"; "$@"; }

step cargo fmt --all --check
step scripts/arrows.sh
step scripts/unified.sh
# Everything is built with the one optimised profile, so that tests, lints and the demo share one build of the
# dependencies.
step cargo clippy --release --locked --workspace --all-targets -- -D warnings
if [ "$fast" != "--fast" ]; then
  step cargo clippy --release --locked --workspace --all-targets --all-features -- -D warnings
  step cargo clippy --release --locked --workspace --all-targets --no-default-features -- -D warnings
  for feature in quic mdns zstd faults; do
    step cargo check --release --locked -p peerlearn --all-targets --no-default-features --features "$feature"
  done
  # A workspace of its own; only that it still fits is checked here.
  step cargo check --manifest-path protocols/fuzz/Cargo.toml
  RUSTDOCFLAGS="-D warnings" step cargo doc --release --locked --workspace --no-deps
  if cargo deny --version >/dev/null 2>&1; then
    # It reads the crates of all systems, not only of this one. Advisories need a data base from the network besides.
    if cargo fetch --quiet --locked; then
      step cargo deny --offline check licenses bans sources
    else
      echo "== crates of other systems cannot be had: licences and bans are not checked here"
    fi
  else
    echo "== cargo deny is not installed: licences and bans are not checked here"
  fi
fi
step scripts/test.sh
