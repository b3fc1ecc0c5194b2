#!/usr/bin/env bash
# Installs the browser that tests look at pages with (Debian's chromium, about 300 MB), where there is none.
# Usage: scripts/browser.sh
set -euo pipefail
case "${1:-}" in
  -h | --help) sed -n '2,3s/^# //p' "$0"; exit 0 ;;
esac
if chromium --version >/dev/null 2>&1; then
  exit 0
fi
if ! command -v apt-get >/dev/null; then
  echo "there is no apt-get here; install chromium by hand, or name another with PEERLEARN_BROWSER" >&2
  exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then as_root=(sudo); fi
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null
