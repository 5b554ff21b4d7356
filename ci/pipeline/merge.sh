#!/usr/bin/env bash
# Joins what N shards left in IN into one report for each kind of run, in OUT/controlled and OUT/seeded, and ends with the
# worst exit code. A shard that is missing or was cut short makes it 3 at least: never clean.
#
#   ci/pipeline/merge.sh N IN OUT                  ci/pipeline/merge.sh 4 shards out
set -euo pipefail
if [ $# -ne 3 ]; then
    echo "usage: $0 N IN OUT" >&2
    exit 2
fi
shards=$1
in=$2
out=$3
read -ra watertight <<<"${WATERTIGHT:-cargo watertight}"

# Which of two codes a pipeline ends with: usage, harness, leak, inconclusive, clean in that order.
worse() {
    local code
    for code in 2 4 1 3; do
        if [ "$1" = "$code" ] || [ "$2" = "$code" ]; then
            echo "$code"
            return
        fi
    done
    # Anything else is no code of ours (a command that cannot be started is 127).
    echo $(($1 > $2 ? $1 : $2))
}

ends=0
shopt -s nullglob
for kind in controlled seeded; do
    files=("$in/$kind"-*.ndjson)
    if [ ${#files[@]} -eq 0 ]; then
        continue
    fi
    joined=yes
    code=0
    "${watertight[@]}" merge "${files[@]}" --expect-shards "$shards" --report "$out/$kind" || code=$?
    ends=$(worse "$ends" "$code")
done
if [ -z "${joined-}" ]; then
    echo "error: no shard left anything in $in" >&2
    exit 3
fi
exit "$ends"
