#!/usr/bin/env bash
# Soaks scenarios for a night: real processes, everything measured kept in OUT/watertight.db, every report in OUT. A clean soak
# is controlled by planted leaks before it is believed. Ends with watertight's own exit code.
#
#   ci/pipeline/soak.sh OUT PATH… [OPTION…]        FOR=8h ci/pipeline/soak.sh soaked scenarios/gate/slow-consumer.yaml
#
# FOR is how long, ENGINE in which engine. A job that is cancelled sends a signal, and the soak ends with a report.
set -euo pipefail
if [ $# -lt 2 ]; then
    echo "usage: $0 OUT PATH… [OPTION…]" >&2
    exit 2
fi
out=$1
shift
mkdir -p "$out"
read -ra watertight <<<"${WATERTIGHT:-cargo watertight}"
exec "${watertight[@]}" soak "$@" --for "${FOR:-5h}" --engine "${ENGINE:-process}" --store "$out/watertight.db" --out "$out"
