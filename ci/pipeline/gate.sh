#!/usr/bin/env bash
# Plays scenarios as a gate: leaves every report in OUT, tells GitHub of them where it runs there, and ends with
# watertight's own exit code (0 bounded, 1 leak, 2 usage, 3 says nothing, 4 the harness failed).
#
#   ci/pipeline/gate.sh OUT PATH… [OPTION…]        ci/pipeline/gate.sh out scenarios/gate --engine all
#
# WATERTIGHT is the command to call: `cargo watertight` unless set, which builds it here.
set -euo pipefail
if [ $# -lt 2 ]; then
    echo "usage: $0 OUT PATH… [OPTION…]" >&2
    exit 2
fi
out=$1
shift
read -ra watertight <<<"${WATERTIGHT:-cargo watertight}"
exec "${watertight[@]}" run "$@" --report "$out"
