#!/usr/bin/env bash
# Plays the shards on a cluster, joins them, prints the report and ends with its exit code.
#
#   ci/kubernetes/run.sh [RUN]         RUN names the folder on the volume; else time and commit
#
# KUBECTL is the command to call, with the context and namespace that are wanted: `kubectl -n tests`.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
commit=${WATERTIGHT_COMMIT:-$(git -C "$here" rev-parse HEAD 2>/dev/null || true)}
run=${1:-$(date -u +%Y%m%d-%H%M%S)-${commit:0:12}}
read -ra kubectl <<<"${KUBECTL:-kubectl}"
WAIT=${WAIT:-6h}

# start FILE JOB: starts it anew; a Job that has ended cannot be changed.
start() {
    "${kubectl[@]}" delete job "$2" --ignore-not-found --wait
    "${kubectl[@]}" set env --local -f "$here/$1" RUN="$run" WATERTIGHT_COMMIT="$commit" -o yaml | "${kubectl[@]}" apply -f -
}

# ended JOB: waits until it is complete or has failed; each is the end that one of two waits for.
ended() {
    local waits=() condition
    for condition in Complete Failed; do
        "${kubectl[@]}" wait "job/$1" --for="condition=$condition" --timeout="$WAIT" &
        waits+=($!)
    done
    wait -n "${waits[@]}" || true
    kill "${waits[@]}" 2>/dev/null || true
    wait "${waits[@]}" 2>/dev/null || true
}

"${kubectl[@]}" apply -f "$here/results.yaml"
start shards.yaml watertight-shards
ended watertight-shards
start merge.yaml watertight-merge
ended watertight-merge
"${kubectl[@]}" logs job/watertight-merge || true
code=$("${kubectl[@]}" get pods --selector=batch.kubernetes.io/job-name=watertight-merge \
    -o 'jsonpath={.items[0].status.containerStatuses[0].state.terminated.exitCode}')
if [ -z "$code" ]; then
    echo "error: the merge did not end; \`kubectl describe job watertight-merge\` says why" >&2
    exit 4
fi
echo "report: /results/$run/report on the volume watertight-results"
exit "$code"
