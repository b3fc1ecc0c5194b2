#!/usr/bin/env bash
# Makes tables of several sizes, reads and trains on each as a node does, and prints rows a second and the peak of memory; polars
# reads the same files beside. Files lie in a temporary folder and are removed.
# Usage: scripts/big-table.sh [MEMORY_MIB] [GIGABYTES...]        by default 256 and 1 2 4 10
#   FOLDER=/mnt/disk      where the files go, in place of the temporary files of the system
#   POLARS=/path/python   a python that has polars; without one a venv is made in the temporary folder
set -euo pipefail
cd "$(dirname "$0")/.."
case "${1:-}" in
  -h | --help) sed -n '2,6s/^# //p' "$0"; exit 0 ;;
esac
memory=${1:-256}
sizes=("${@:2}")
[ "${#sizes[@]}" -gt 0 ] || sizes=(1 2 4 10)

folder=$(mktemp -d "${FOLDER:-${TMPDIR:-/tmp}}/big-table.XXXXXX")
trap 'rm -rf "$folder"' EXIT
cargo build --release --locked -p peerlearn --example big_table
program=${CARGO_TARGET_DIR:-target}/release/examples/big_table

python=${POLARS:-}
if [ -z "$python" ] && python3 -m venv "$folder/venv" && "$folder/venv/bin/pip" install --quiet polars; then
  python=$folder/venv/bin/python
fi
if ! "${python:-false}" -c 'import polars' 2>/dev/null; then
  echo "SKIPPED polars: it is not installed and could not be" >&2
  python=
fi

uname -srm
lscpu | sed -n 's/^Model name: *//p'
echo "$(nproc) cores, $(free -m | awk '/^Mem/ { print $2 }') MiB, $(date +%F), at most $memory MiB of encoded rows in memory"
for size in "${sizes[@]}"; do
  # The table, what is encoded of it (less than its size again), and room for the system.
  wanted=$(awk -v size="$size" 'BEGIN { printf "%d", (2 * size + 2) * 1e6 }')
  free=$(df --output=avail -k "$folder" | tail -n 1)
  if [ "$free" -lt "$wanted" ]; then
    echo "SKIPPED $size GB: $free KiB are free in $folder, and $wanted are needed" >&2
    continue
  fi
  "$program" make "$folder/table.csv" "$size"
  "$program" run "$folder/table.csv" "$folder/cache" "$memory"
  if [ -n "$python" ]; then
    "$python" scripts/big_table_polars.py "$folder/table.csv"
  fi
  rm -rf "$folder/table.csv" "$folder/cache"
done
