#!/usr/bin/env bash
# Builds the command `watertight` out of this checkout and puts it into FOLDER, for pipelines of other projects.
#
#   ci/pipeline/install.sh FOLDER
set -euo pipefail
# Absolute, before the folder changes; the build must start in the checkout, whose .cargo/config.toml it needs.
folder=$(mkdir -p "$1" && cd "$1" && pwd)
cd "$(dirname "$0")/../.."
cargo build --release --locked --package watertight-cli --bin watertight
install -m 0755 "${CARGO_TARGET_DIR:-target}/release/watertight" "$folder/watertight"
"$folder/watertight" --version
