#!/usr/bin/env bash
# Installs what the tests need beyond Rust and git. Safe to run again; says what it did.
# Without it the tests that need more are skipped by name, each with its reason.
# `ci/setup.sh interop` installs the peers of s7-sim/interop as well.
set -euo pipefail
cd "$(dirname "$0")/.."

PYTHON_SNAP7=3.3.0

have() { command -v "$1" >/dev/null 2>&1; }

install_python() {
    have python3 && python3 -c 'import ensurepip' 2>/dev/null && return
    echo "setup: python3 and python3-venv from Debian's packages"
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends python3 python3-venv
}

install_python_snap7() {
    if [ -x .venv/bin/python ] && .venv/bin/pip show python-snap7 2>/dev/null | grep -qx "Version: $PYTHON_SNAP7"; then
        echo "setup: python-snap7 $PYTHON_SNAP7 is there"
        return
    fi
    echo "setup: python-snap7 $PYTHON_SNAP7 into .venv"
    python3 -m venv .venv
    .venv/bin/pip install --quiet "python-snap7==$PYTHON_SNAP7"
}

install_tshark() {
    have tshark && return
    echo "setup: tshark from Debian's packages"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends tshark
}

# Peers of the scenarios, and their command line clients. Only what is missing is installed, and its service is not left running.
install_brokers() {
    local missing=()
    [ -x /usr/sbin/mosquitto ] || have mosquitto || missing+=(mosquitto)
    have redis-server || missing+=(redis-server)
    have mosquitto_pub || missing+=(mosquitto-clients)
    have redis-cli || missing+=(redis-tools)
    [ "${#missing[@]}" -eq 0 ] && return
    echo "setup: ${missing[*]} from Debian's packages"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
    local service
    for service in mosquitto redis-server; do
        case " ${missing[*]} " in
            *" $service "*) systemctl disable --quiet --now "$service" 2>/dev/null || true ;;
        esac
    done
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

# libsnap7 (C++) as a wheel carries it: for the table of answers and the speed table alone.
install_libsnap7() {
    [ -x .venv/libsnap7/bin/python ] && return
    echo "setup: libsnap7 1.4 into .venv/libsnap7"
    python3 -m venv .venv/libsnap7
    .venv/libsnap7/bin/pip install --quiet setuptools python-snap7==2.1
}

install_python
install_python_snap7
install_python_snap7_tests
install_tshark
install_brokers
if [ "${1-}" = interop ]; then
    install_libsnap7
fi
