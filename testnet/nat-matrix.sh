#!/usr/bin/env bash
# Who meets whom through which routers: one public peer and two private ones, behind every pair of four kinds of NAT, each in a
# network namespace of its own. Prints a table: connected directly or through the relay, how soon, and whether both learn.
#
# Needs root, ip, nft and the built program; without them it says so and does nothing. All namespaces are its own and are removed.
# Usage: testnet/nat-matrix.sh [PROGRAM] [KIND KIND]...      pairs of full-cone, address, port, symmetric; without any, all 16
set -euo pipefail
cd "$(dirname "$0")/.."
case "${1:-}" in
  -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;;
esac
program=$(realpath "${1:-target/release/peerlearn}")
shift || true
skip() { echo "SKIPPED: the NAT matrix needs $1" >&2; exit 0; }
[ "$(id -u)" = 0 ] || skip "root"
for tool in ip nft; do command -v "$tool" >/dev/null || skip "$tool"; done
[ -x "$program" ] || skip "a built program: cargo build --release"
ip netns add "pl$$-try" 2>/dev/null || skip "network namespaces"
ip netns delete "pl$$-try"

kinds=(full-cone address port symmetric)
patience=${PATIENCE:-15} # seconds until a pair has to be connected directly
learning=${LEARNING:-25} # seconds until both have to have mixed a model of the other
work=$(mktemp -d)
spaces=()
started=()
tidy() {
  for each in "${started[@]}"; do kill "$each" 2>/dev/null || true; done
  for each in "${started[@]}"; do wait "$each" 2>/dev/null || true; done
  for space in "${spaces[@]}"; do ip netns delete "$space" 2>/dev/null || true; done
  started=() spaces=()
}
trap 'tidy; [ -n "${KEEP:-}" ] && echo "kept: $work" >&2 || rm -rf "$work"' EXIT

space() { # NAME        a namespace
  ip netns add "$1"
  spaces+=("$1")
  ip -n "$1" link set lo up
}
in_space() { ip netns exec "$@"; }
cable() { # SPACE IF ADDRESS SPACE IF ADDRESS
  ip -n "$1" link add "$2" type veth peer name "$5" netns "$4"
  ip -n "$1" address add "$3" dev "$2"
  ip -n "$4" address add "$6" dev "$5"
  ip -n "$1" link set "$2" up
  ip -n "$4" link set "$5" up
}
# The internet: a router between 203.0.113.0/24 (the public peer) and a network of each router's own.
# inside 10.N.0.2 -- 10.N.0.1 router 198.51.N.2 -- 198.51.N.1 internet
private() { # N KIND
  local n=$1 kind=$2 router="$id-r$1" peer="$id-p$1"
  space "$router"
  space "$peer"
  cable "$id-net" "r$n" "198.51.$n.1/24" "$router" out "198.51.$n.2/24"
  cable "$router" in "10.$n.0.1/24" "$peer" eth0 "10.$n.0.2/24"
  ip -n "$router" route add default via "198.51.$n.1"
  ip -n "$peer" route add default via "10.$n.0.1"
  in_space "$router" sysctl -qw net.ipv4.ip_forward=1
  in_space "$router" nft -f - <<RULES
table ip nat {
  set met { type ipv4_addr; flags dynamic, timeout; timeout 120s; }
  chain out {
    type nat hook postrouting priority srcnat;
    $([ "$kind" = symmetric ] && echo 'oifname "out" masquerade random' || echo 'oifname "out" masquerade')
  }
  chain in {
    type nat hook prerouting priority dstnat;
    $(case "$kind" in
      full-cone) echo "iifname \"out\" ip daddr 198.51.$n.2 dnat to 10.$n.0.2" ;;
      address) echo "iifname \"out\" ip daddr 198.51.$n.2 ip saddr @met dnat to 10.$n.0.2" ;;
    esac)
  }
  chain met {
    type filter hook forward priority filter;
    iifname "in" oifname "out" update @met { ip daddr }
    iifname "out" oifname "in" ct state new ct status & dnat == 0 drop
  }
  chain closed {
    type filter hook input priority filter;
    # A router does not answer what it knows nothing of; else a refusal would end the other's attempt.
    iifname "out" ct state new drop
  }
}
RULES
}
node() { # SPACE NAME ARGUMENT...
  local where=$1 name=$2
  shift 2
  # Everything is as it comes, but that rounds are short and nobody is found by mDNS.
  # Not by a function: $! is to be the program.
  ip netns exec "$where" "$program" --log "${LOG:-warn}" "$@" --home "$run/$name" --events "$run/$name.jsonl" \
    --set network.mdns=false --set training.steps=5 --set round.min_interval=500ms --set data.parts=3 \
    --set data.partition=dirichlet:0.5 >"$run/$name.out" 2>&1 &
  started+=($!)
}
peer_of() { grep -m1 -o '"node":"[0-9a-f]*"' "$run/$1.jsonl" | cut -d'"' -f4; }
now() { date +%s%3N; }
until_ms() { # SECONDS COMMAND...     milliseconds until it succeeds; nothing if it does not
  local from end
  from=$(now) end=$(($(now) + $1 * 1000))
  shift
  until "$@" 2>/dev/null; do
    [ "$(now)" -lt "$end" ] || return 1
    sleep 0.2
  done
  echo $(($(now) - from))
}
status() { # NAME SPACE
  in_space "$2" "$program" status --json --home "$run/$1"
}
has() { grep -q "\"event\":\"$2\".*\"peer\":\"$3\"" "$run/$1.jsonl"; }
learns() { has ant pulled "$bat" && has bat pulled "$ant"; }
punched() { grep -q '"event":"punched".*"failed":null' "$run/ant.jsonl" "$run/bat.jsonl"; }

connected() { has ant peer_connected "$bat"; }
direct() { straight "$id-p1" ant "$bat" && straight "$id-p2" bat "$ant"; }
straight() { # SPACE NAME PEER        by what the program says of its paths
  in_space "$1" "$program" peers --json --home "$run/$2" >"$run/$2.peers" &&
    python3 -c 'import json, sys
paths = [each.get("path") for each in json.load(open(sys.argv[1])) if each["peer"] == sys.argv[2]]
sys.exit(not any(path and path.get("relay") is None for path in paths))' "$run/$2.peers" "$3"
}

pair() { # KIND KIND
  id="pl$$-$((count += 1))" run="$work/$1-$2"
  mkdir "$run"
  space "$id-net"
  in_space "$id-net" sysctl -qw net.ipv4.ip_forward=1
  space "$id-pub"
  cable "$id-net" pub 203.0.113.1/24 "$id-pub" eth0 203.0.113.2/24
  ip -n "$id-pub" route add default via 203.0.113.1
  private 1 "$1"
  private 2 "$2"
  node "$id-pub" pub run --task digits --set data.part=0
  until_ms 15 in_space "$id-pub" "$program" ticket --home "$run/pub" >/dev/null
  local ticket met short learnt
  ticket=$(in_space "$id-pub" "$program" ticket --home "$run/pub")
  node "$id-p1" ant join "$ticket" --yes --set data.part=1
  node "$id-p2" bat join "$ticket" --yes --set data.part=2
  until_ms 10 test -s "$run/ant.jsonl" >/dev/null && until_ms 10 test -s "$run/bat.jsonl" >/dev/null
  ant=$(peer_of ant) bat=$(peer_of bat)
  met=$(until_ms "$patience" connected) || met=-
  short=$(until_ms "$patience" direct) || short=-
  learnt=$(until_ms "$learning" learns) || learnt=-
  local punches="no"
  punched && punches="yes"
  printf '%-10s %-10s %8s %8s %8s %8s\n' "$1" "$2" "$met" "$short" "$punches" "$learnt"
  tidy
}
count=0
printf '%-10s %-10s %8s %8s %8s %8s\n' ant bat met_ms direct punched learn_ms
if [ $# -ge 2 ]; then
  while [ $# -ge 2 ]; do
    pair "$1" "$2"
    shift 2
  done
else
  for one in "${kinds[@]}"; do
    for two in "${kinds[@]}"; do pair "$one" "$two"; done
  done
fi
