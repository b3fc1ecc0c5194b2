#!/bin/sh
# Builds the program of the image: one static file that is peerlearn-testnet and, by another name, peerlearn.
# Usage: scripts/static.sh DIR      writes DIR/bin with the program, and DIR/own with directories that a node may write
set -eu
cd "$(dirname "$0")/.."
case "${1:-}" in
  "" | -h | --help) sed -n '2,3s/^# //p' "$0"; exit 0 ;;
esac
out=$1
target=${CARGO_TARGET_DIR:-target}
# Only the last link differs from the usual build, so everything compiled before is used again.
cargo rustc --release --locked -p peerlearn-testnet --bin peerlearn-testnet -- \
  -C target-feature=+crt-static -C strip=symbols
rm -rf "$out"
mkdir -p "$out/bin" "$out/own/state" "$out/own/events"
cp "$target/release/peerlearn-testnet" "$out/bin/peerlearn-testnet"
ln -s peerlearn-testnet "$out/bin/peerlearn"
