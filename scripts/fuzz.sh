#!/usr/bin/env bash
# Feeds arbitrary bytes to every parser, codec and state machine that strangers can reach, a target at a time.
# Usage: scripts/fuzz.sh [SECONDS] [TARGET...]      60 seconds each and all targets unless told; crashes go to
#        protocols/fuzz/artifacts, what was learnt to target/fuzz-corpus; needs a nightly toolchain
set -euo pipefail
cd "$(dirname "$0")/.."
case "${1:-}" in
  -h | --help) sed -n '2,4s/^# //p' "$0"; exit 0 ;;
esac
case "${1:-60}" in
  *[!0-9]* | "") echo "expected a number of seconds, got '$1'; see scripts/fuzz.sh --help" >&2; exit 2 ;;
esac
seconds=${1:-60}
shift || true
target="${CARGO_TARGET_DIR:-$PWD/target}"
export PATH="$target/tools/bin:$PATH"
if ! cargo +nightly --version >/dev/null 2>&1; then
  echo "fuzzing needs a nightly toolchain, which is missing here: rustup toolchain install nightly --profile minimal" >&2
  exit 1
fi
cargo fuzz --version >/dev/null 2>&1 || cargo install cargo-fuzz --locked --root "$target/tools"
export CARGO_TARGET_DIR="$target/fuzz"
# Freed memory is not worth keeping: nothing here is unsafe, and the limit below is about what is in use.
export ASAN_OPTIONS="${ASAN_OPTIONS:-quarantine_size_mb=8}"
fuzz() { cargo +nightly fuzz "$1" --fuzz-dir protocols/fuzz "${@:2}"; }
[ $# -gt 0 ] || mapfile -t targets < <(fuzz list)
[ $# -eq 0 ] || targets=("$@")
failed=()
for name in "${targets[@]}"; do
  printf '\n== %s, %s seconds\n' "$name" "$seconds"
  learnt="$target/fuzz-corpus/$name"
  mkdir -p "$learnt"
  # No frame is over 64 KiB, and longer scripts find nothing that shorter ones do not.
  longest=4096
  [ "$name" != response ] || longest=66000
  fuzz run "$name" "$learnt" "protocols/fuzz/corpus/$name" -- -max_total_time="$seconds" -max_len="$longest" \
    -rss_limit_mb=1024 -timeout=10 -print_final_stats=1 2>&1 |
    grep -vE '^#[0-9]+\s+(NEW|REDUCE|pulse|RELOAD)|NEW_FUNC|^"|^###' || failed+=("$name")
done
[ ${#failed[@]} -eq 0 ] || { printf '\nfailed: %s\n' "${failed[*]}" >&2; exit 1; }
