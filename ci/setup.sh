#!/usr/bin/env bash
# Installs what the tests need beyond Rust and git. Safe to run again; says what it did.
# Without it the tests that need more are skipped by name, each with its reason.
# `ci/setup.sh interop` installs the peers of s7-sim/interop as well.
set -euo pipefail
cd "$(dirname "$0")/.."

PYTHON_SNAP7=3.3.0
GRAFANA_SDK='1769699998!10.1.0'
CHECK_JSONSCHEMA=0.39.0
KUBERNETES_VALIDATE=1.37.0

# What tests run, and the Debian package that has it.
PROGRAMS=(
    python3:python3
    tshark:tshark
    promtool:prometheus
    mosquitto:mosquitto
    mosquitto_pub:mosquitto-clients
    redis-server:redis-server
    redis-cli:redis-tools
    systemd-analyze:systemd
    dockerd:docker.io
    iptables:iptables
    ip:iproute2
    chromium:chromium
    go:golang-go
    node:nodejs
    npm:npm
)
POLICY=/usr/sbin/policy-rc.d

# Servers lie in sbin, which a user's PATH may lack.
have() { PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null 2>&1; }

missing_packages() {
    local pair
    for pair in "${PROGRAMS[@]}"; do
        have "${pair%%:*}" || echo "${pair##*:}"
    done
    python3 -c 'import ensurepip' 2>/dev/null || echo python3-venv
}

# Tests start brokers and servers of their own: what a package would start is not wanted, whatever runs the machine.
# A policy that is there stays as it is.
without_services() {
    if [ ! -e "$POLICY" ]; then
        trap 'rm -f "$POLICY"' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$POLICY"
        chmod +x "$POLICY"
    fi
    RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive "$@"
}

install_packages() {
    local packages
    mapfile -t packages < <(missing_packages)
    if [ ${#packages[@]} -eq 0 ]; then
        echo "setup: every Debian package is there"
        return
    fi
    echo "setup: ${packages[*]} from Debian's packages"
    apt-get update -qq
    without_services apt-get install -y -qq --no-install-recommends "${packages[@]}"
}

install_python_snap7() {
    if [ -x .venv/bin/python ] && .venv/bin/pip show python-snap7 2>/dev/null | grep -x "Version: $PYTHON_SNAP7" >/dev/null; then
        echo "setup: python-snap7 $PYTHON_SNAP7 is there"
        return
    fi
    echo "setup: python-snap7 $PYTHON_SNAP7 into .venv"
    python3 -m venv .venv
    .venv/bin/pip install --quiet "python-snap7==$PYTHON_SNAP7"
}

# Its own tests, which only the source distribution has, and what they run with.
install_python_snap7_tests() {
    if [ -d ".venv/python-snap7-$PYTHON_SNAP7" ] && .venv/bin/pip show pytest pytest-bdd >/dev/null 2>&1; then
        echo "setup: python-snap7's own tests are there"
        return
    fi
    echo "setup: python-snap7's own tests into .venv"
    .venv/bin/pip install --quiet pytest pytest-bdd
    .venv/bin/pip download --quiet --no-deps --no-binary :all: --dest .venv "python-snap7==$PYTHON_SNAP7"
    tar -xzf ".venv/python_snap7-$PYTHON_SNAP7.tar.gz" -C .venv
    mv ".venv/python_snap7-$PYTHON_SNAP7" ".venv/python-snap7-$PYTHON_SNAP7"
}

# Grafana's types, which the dashboard is held against.
install_grafana_sdk() {
    if [ -d ".venv/grafana/grafana_foundation_sdk" ]; then
        echo "setup: Grafana's SDK is there"
        return
    fi
    echo "setup: Grafana's SDK $GRAFANA_SDK into .venv/grafana"
    .venv/bin/pip install --quiet --target .venv/grafana "grafana-foundation-sdk==$GRAFANA_SDK"
}

# The schemas of GitHub, GitLab and Kubernetes, which the templates for pipelines are held against.
install_schemas() {
    if [ "$(.venv/bin/pip list --format=freeze 2>/dev/null | grep -cxE "check-jsonschema==$CHECK_JSONSCHEMA|kubernetes-validate==$KUBERNETES_VALIDATE")" = 2 ]; then
        echo "setup: the schemas of pipelines are there"
        return
    fi
    echo "setup: check-jsonschema $CHECK_JSONSCHEMA and kubernetes-validate $KUBERNETES_VALIDATE into .venv"
    .venv/bin/pip install --quiet "check-jsonschema==$CHECK_JSONSCHEMA" "kubernetes-validate==$KUBERNETES_VALIDATE"
}

# What opens the HTML report in a browser and judges it; versions and checksums stand in the lock file, playwright's is
# the last for Debian's node 18. Neither brings a browser or runs anything on installation.
install_browser_tools() {
    if [ -d ci/browser/node_modules/axe-core ] && [ -d ci/browser/node_modules/playwright-core ]; then
        echo "setup: axe and playwright are there"
        return
    fi
    echo "setup: axe and playwright into ci/browser/node_modules"
    npm ci --prefix ci/browser --ignore-scripts --no-audit --no-fund --silent
}

# libsnap7 (C++) as a wheel carries it: for the table of answers and the speed table alone.
install_libsnap7() {
    [ -x .venv/libsnap7/bin/python ] && return
    echo "setup: libsnap7 1.4 into .venv/libsnap7"
    python3 -m venv .venv/libsnap7
    .venv/libsnap7/bin/pip install --quiet setuptools python-snap7==2.1
}

install_packages
install_python_snap7
install_python_snap7_tests
install_grafana_sdk
install_schemas
install_browser_tools
if [ "${1-}" = interop ]; then
    install_libsnap7
fi
