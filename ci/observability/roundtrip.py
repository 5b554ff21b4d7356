"""Reads dashboard.json into the types of Grafana's SDK and back: what they do not know, or hold for something else, is lost.

Exits with 1 and says what is lost. Needs grafana-foundation-sdk, which ci/setup.sh installs.
"""

import json
import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

# What an annotation's query is to the Prometheus plugin; the dashboard's types leave it to plugins.
OF_THE_PLUGIN = {"expr", "step", "titleFormat", "textFormat", "tagKeys", "useValueForTime"}


def lost(before, after, at="dashboard"):
    """Where `before` has something that `after` has not, or has otherwise."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            if key in after:
                yield from lost(value, after[key], f"{at}.{key}")
            elif not (".annotations.list" in at and key in OF_THE_PLUGIN):
                yield f"{at}.{key}"
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after)):
            yield from lost(one, other, f"{at}[{index}]")
    elif before != after:
        yield f"{at}: {before!r} became {after!r}"


def main():
    before = json.loads((Path(__file__).parent / "dashboard.json").read_text())
    register_default_plugins()
    after = json.loads(json.dumps(Dashboard.from_json(before), cls=JSONEncoder))
    findings = list(lost(before, after))
    for finding in findings:
        print(finding)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
