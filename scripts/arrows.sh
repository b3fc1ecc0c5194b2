#!/usr/bin/env bash
# Checks the arrows between crates (what each may depend on) and within them (use lines, where the compiler cannot).
# Usage: scripts/arrows.sh
set -euo pipefail
cd "$(dirname "$0")/.."
case "${1:-}" in
  -h | --help) sed -n '2,3s/^# //p' "$0"; exit 0 ;;
esac
failed=0
complain() { printf 'forbidden: %s\n' "$*"; failed=1; }

# Crates. What a crate does not depend on it cannot name, so the compiler checks every arrow that is not allowed here.
crates="peerlearn-protocols peerlearn-task peerlearn-sim peerlearn-runtime peerlearn-data peerlearn-learner peerlearn-network peerlearn
  peerlearn-harness peerlearn-cli"
declare -A direct
for crate in $crates; do
  tree=$(cargo tree --locked --offline -p "$crate" -e normal --all-features --depth 1 --prefix none)
  direct[$crate]=$(awk 'NR>1 {print $1}' <<<"$tree")
done
arrows() { # CRATE [CRATE IT MAY NAME...]
  local crate=$1 named; shift
  for named in $(grep '^peerlearn' <<<"${direct[$crate]}"); do
    case " $* " in *" $named "*) ;; *) complain "$crate depends on $named" ;; esac
  done
}
ground="peerlearn-protocols peerlearn-runtime"
arrows peerlearn-protocols
arrows peerlearn-task peerlearn-protocols
arrows peerlearn-sim peerlearn-protocols
arrows peerlearn-runtime peerlearn-protocols
arrows peerlearn-data $ground peerlearn-task
arrows peerlearn-learner $ground
arrows peerlearn-network $ground
arrows peerlearn $ground peerlearn-task peerlearn-data peerlearn-learner peerlearn-network
arrows peerlearn-harness peerlearn
arrows peerlearn-cli peerlearn peerlearn-harness

# What only some crates may depend on: the pure layer no runtime, one crate libp2p, one burn, programs what people look at.
only() { # PATTERN CRATE...
  local pattern=$1 crate found; shift
  for crate in $crates; do
    case " $* " in *" $crate "*) continue ;; esac
    found=$(grep -xE "$pattern" <<<"${direct[$crate]}" | paste -sd' ' || true)
    [ -z "$found" ] || complain "$crate depends on $found"
  done
}
only 'bincode' peerlearn-protocols
only 'libp2p.*' peerlearn-network
only 'burn.*' peerlearn-learner
only 'clap|plotters|indicatif|console|qrcode|tracing-subscriber' peerlearn-cli
only 'tokio|ractor|futures' peerlearn-{runtime,learner,network,harness,cli} peerlearn

forbid() { # FILES PATTERN SENTENCE
  local found
  found=$(grep -rnE "$2" $1 --include='*.rs' || true)
  [ -z "$found" ] || complain "$3"$'\n'"$found"
}
# protocols: machines do not name each other; only wire/codec.rs names bincode.
p=protocols/core/src
forbid "$p/round.rs $p/round" 'crate::(exchange|membership)' 'round names another machine'
forbid "$p/exchange.rs $p/exchange" 'crate::(round|membership)' 'exchange names another machine'
forbid "$p/membership.rs $p/membership" 'crate::(round|exchange)' 'membership names another machine'
forbid "$p/mixing.rs $p/mixing $p/codec.rs $p/codec $p/score.rs $p/drift.rs $p/drift" 'crate::(round|exchange|membership)' 'a pure function names a machine'
forbid "$p/sampling.rs $p/sampling $p/estimate.rs $p/estimate" 'crate::(round|exchange|membership|mixing|codec)' 'sampling or estimate names more than ids'
found=$(grep -rln 'bincode::' $p | grep -v '^protocols/core/src/wire/codec.rs$' || true)
[ -z "$found" ] || complain "bincode is named outside wire/codec.rs: $found"

# node/data: readers do not name what calls them.
d=node/data/src
forbid "$d/raw.rs $d/csv.rs $d/digits.rs $d/records $d/arrays.rs $d/arrays" '(crate|super)::(load|encode|survey|table)(::|;)' 'a reader names what calls it'

# node/core: components meet through handles.
n=node/core/src
forbid "$n/peer.rs $n/peer" 'crate::(node|control)' 'peer names what stands above it'
forbid "$n/registry.rs $n/registry" 'crate::(peer|node|control)' 'registry names another component'
forbid "$n/control.rs $n/control" 'crate::(peer|registry|node)' 'control names what it carries'
forbid "$n/node.rs $n/node" 'crate::control' 'node names what stands above it'
[ "$failed" = 0 ] && echo "arrows hold"
exit "$failed"
