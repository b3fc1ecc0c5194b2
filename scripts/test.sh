#!/usr/bin/env bash
# Runs all tests: with cargo-nextest where it is installed, else with cargo test; then the documentation's examples.
# Usage: scripts/test.sh [FILTER]
set -euo pipefail
cd "$(dirname "$0")/.."
case "${1:-}" in
  -h | --help) sed -n '2,3s/^# //p' "$0"; exit 0 ;;
esac
cargo test --release --locked --workspace --doc
if cargo nextest --version >/dev/null 2>&1; then
  cargo nextest run --release --locked --workspace "$@"
else
  cargo test --release --locked --workspace --lib --bins --tests "$@"
fi
