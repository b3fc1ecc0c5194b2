#!/usr/bin/env bash
# Builds the image peerlearn:local where no image can be pulled: the program is built here and put into an empty image.
# Usage: scripts/image.sh [NAME]      NAME is the image's, peerlearn:local without it; fails where it is above 40 MB
set -euo pipefail
cd "$(dirname "$0")/.."
case "${1:-}" in
  -h | --help) sed -n '2,3s/^# //p' "$0"; exit 0 ;;
esac
name=${1:-peerlearn:local}
most=40000000
scripts/static.sh target/image
docker build --quiet --file testnet/Dockerfile --target prebuilt --tag "$name" . >/dev/null
bytes=$(docker image inspect --format '{{.Size}}' "$name")
echo "$name: $bytes bytes, $(docker run --rm "$name" --version)"
if [ "$bytes" -gt "$most" ]; then
  echo "error: an image of peerlearn has at most $most bytes" >&2
  exit 1
fi
