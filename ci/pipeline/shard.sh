#!/usr/bin/env bash
# Plays the Kth of N parts of the night's runs and leaves in OUT what `ci/pipeline/merge.sh` joins:
#   controlled-K.ndjson  the scenarios of CONTROLLED, each clean one again with the leaks that it says it would have seen
#   seeded-K.ndjson      those of SEEDED with every seed from 1 to SEEDS
#
#   ci/pipeline/shard.sh K/N OUT [OPTION…]         ci/pipeline/shard.sh 2/4 shards
#
# Ends with 0 whatever was found: the merge judges, so that one leak is one red job. Usage (2) and a failure of the
# harness (4) end it. Paths in CONTROLLED and SEEDED are parted by blanks; either may be empty.
set -euo pipefail
if [ $# -lt 2 ]; then
    echo "usage: $0 K/N OUT [OPTION…]" >&2
    exit 2
fi
shard=$1
out=$2
shift 2
read -ra watertight <<<"${WATERTIGHT:-cargo watertight}"
read -ra controlled <<<"${CONTROLLED-scenarios/gate scenarios/soak}"
read -ra seeded <<<"${SEEDED-scenarios/gate}"

ends=0
# collect NAME ARGUMENT…
collect() {
    local code=0 file="$out/$1-${shard%%/*}.ndjson"
    shift
    "${watertight[@]}" run "$@" --shard "$shard" --ndjson "$file" || code=$?
    case $code in
        0 | 1 | 3) ;;
        *) ends=$code ;;
    esac
}

if [ ${#controlled[@]} -gt 0 ]; then
    collect controlled "${controlled[@]}" --control "$@"
fi
if [ ${#seeded[@]} -gt 0 ]; then
    collect seeded "${seeded[@]}" --seeds "${SEEDS:-100}" "$@"
fi
exit "$ends"
