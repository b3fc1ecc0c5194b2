#!/usr/bin/env bash
# Stops one of several real nodes for a while, as a laptop does whose lid is closed, and measures how long after it is back the first
# model is mixed at it, and whether anybody was banned. Loopback only; everything lies in a temporary folder.
# Usage: testnet/sleep.sh [SECONDS...]        by default 60 180
#   PEERLEARN=/path/to/peerlearn   the program; NODES=6 how many nodes
set -euo pipefail
case "${1:-}" in
  -h | --help) sed -n '2,5s/^# //p' "$0"; exit 0 ;;
esac
program=${PEERLEARN:-$(dirname "$0")/../target/release/peerlearn}
nodes=${NODES:-6}
sleeps=("$@")
[ "${#sleeps[@]}" -gt 0 ] || sleeps=(60 180)
folder=$(mktemp -d)
pids=()
finish() {
  for pid in "${pids[@]}"; do kill -CONT "$pid" 2>/dev/null || true; kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$folder"
}
trap finish EXIT
ticket=
for node in $(seq "$nodes"); do
  contacts=()
  [ -z "$ticket" ] || contacts=(--set "network.contacts=[\"$ticket\"]")
  (cd "$folder" && exec "$program" run --task digits --home "$folder/$node" --events "$folder/$node.jsonl" \
    --set 'network.listen=["/ip4/127.0.0.1/tcp/0","/ip4/127.0.0.1/udp/0/quic-v1"]' --set network.mdns=false \
    --set data.partition=dirichlet:0.1 "${contacts[@]}" >"$folder/$node.out" 2>&1) &
  pids+=($!)
  while [ -z "$ticket" ]; do
    sleep 0.3
    ticket=$("$program" ticket --home "$folder/$node" 2>/dev/null | tail -n 1) || ticket=
  done
done
mixed() { grep -c '"mixed":[1-9]' "$folder/1.jsonl" || true; }
sleep 15
echo "$nodes nodes, $(date +%F); rounds with a mix at the first after 15 s: $(mixed)"
for seconds in "${sleeps[@]}"; do
  kill -STOP "${pids[0]}"
  sleep "$seconds"
  before=$(mixed)
  begin=$(date +%s%N)
  kill -CONT "${pids[0]}"
  while [ "$(mixed)" -le "$before" ]; do
    sleep 0.1
    [ $((($(date +%s%N) - begin) / 1000000000)) -lt 300 ] || break
  done
  took=$((($(date +%s%N) - begin) / 1000000))
  echo "slept $seconds s: the first mix after $took ms; banned so far: $(cat "$folder"/*.jsonl | grep -c '"banned":true' || true)"
  sleep 10
done
