#!/usr/bin/env bash
# Shows the reports in OUT where the pipeline shows such things: on GitHub in the job's summary and beside the code.
# Elsewhere it does nothing: GitLab takes OUT/junit.xml and the rest as artefacts.
set -euo pipefail
out=$1

# GitHub takes 1 MiB a step.
SUMMARY_BYTES=1000000

# Where there is Markdown, watertight has added it already.
if [ -n "${GITHUB_STEP_SUMMARY-}" ] && [ -f "$out/report.txt" ] && [ ! -f "$out/report.md" ]; then
    {
        echo '```text'
        head -c "$SUMMARY_BYTES" "$out/report.txt"
        echo '```'
    } >>"$GITHUB_STEP_SUMMARY"
fi
