#!/usr/bin/env bash
# Checks the arrows between crates (cargo metadata) and between rooms (use lines).
# Usage: scripts/arrows.sh
set -euo pipefail
cd "$(dirname "$0")/.."
case "${1:-}" in
  -h | --help) sed -n '2,3s/^# //p' "$0"; exit 0 ;;
esac
failed=0
forbid() { # FILES PATTERN SENTENCE
  local found
  found=$(grep -rnE "$2" $1 --include='*.rs' 2>/dev/null || true)
  if [ -n "$found" ]; then
    printf 'forbidden: %s\n%s\n' "$3" "$found"
    failed=1
  fi
}

# Crates: the pure layer depends on no runtime, and nothing depends on what stands above it.
direct() { cargo tree --locked --offline -p "$1" -e normal --depth 1 --prefix none 2>/dev/null | awk 'NR>1 {print $1}'; }
for crate in tokio ractor libp2p burn peerlearn; do
  if direct peerlearn-protocols | grep -qx "$crate"; then
    echo "forbidden: protocols depends on $crate"
    failed=1
  fi
done
if direct peerlearn | grep -qx peerlearn-testnet; then
  echo "forbidden: node depends on testnet"
  failed=1
fi

# protocols: machines do not name each other; only wire/codec.rs names bincode.
p=protocols/core/src
forbid "$p/round.rs $p/round" 'crate::(exchange|membership)' 'round names another machine'
forbid "$p/exchange.rs $p/exchange" 'crate::(round|membership)' 'exchange names another machine'
forbid "$p/membership.rs $p/membership" 'crate::(round|exchange)' 'membership names another machine'
forbid "$p/mixing.rs $p/mixing $p/codec.rs $p/codec $p/score.rs $p/drift.rs $p/drift" 'crate::(round|exchange|membership)' 'a pure function names a machine'
forbid "$p/sampling.rs $p/sampling $p/estimate.rs $p/estimate" 'crate::(round|exchange|membership|mixing|codec)' 'sampling or estimate names more than ids'
found=$(grep -rln 'bincode::' $p | grep -v '^protocols/core/src/wire/codec.rs$' || true)
[ -z "$found" ] || { echo "forbidden: bincode is named outside wire/codec.rs: $found"; failed=1; }

# node: one room names burn, one libp2p (and the key of the identity); rooms meet through handles.
n=node/src
found=$(grep -rlE '(^|[^a-z_])burn::' $n | grep -v "^$n/learner/" || true)
[ -z "$found" ] || { echo "forbidden: burn is named outside learner: $found"; failed=1; }
found=$(grep -rn 'libp2p::' $n | grep -vE "^$n/network(/|\.rs)|libp2p::identity|libp2p::Multiaddr" || true)
[ -z "$found" ] || { echo "forbidden: libp2p is named outside network: $found"; failed=1; }
forbid "$n/network.rs $n/network" 'crate::(membership|exchange|round|learner|registry|data|node|demo|cli)' 'network names another room'
forbid "$n/learner.rs $n/learner" 'crate::(membership|exchange|round|network|registry|node|demo|cli)' 'learner names another room'
forbid "$n/membership.rs $n/membership" 'crate::(exchange|round|learner|registry|data|node|demo|cli)' 'membership names more than network'
forbid "$n/exchange.rs $n/exchange" 'crate::(membership|round|learner|registry|data|node|demo|cli)' 'exchange names more than network'
forbid "$n/round.rs $n/round" 'crate::(data|node|demo|cli)' 'round names more than handles'
forbid "$n/data.rs $n/data" 'crate::(network|membership|exchange|round|learner|registry|node|demo|cli|control)' 'data names a room'
forbid "$n/registry.rs $n/registry" 'crate::(network|membership|exchange|round|data|node|demo|cli|control)' 'registry names more than the learner'"'"'s snapshot'
forbid "$n/control.rs $n/control" 'crate::(network|membership|exchange|round|learner|registry|data|node|demo|cli)' 'control names what it carries'
forbid "$n/node.rs $n/node" 'crate::(demo|cli|control)' 'node names what stands above it'
forbid "$n/demo.rs $n/demo" 'crate::(cli|control)' 'demo names what stands above it'
[ "$failed" = 0 ] && echo "arrows hold"
exit "$failed"
