#!/usr/bin/env bash
# Runs a command with a Docker engine: the one that is there, else one of its own, which ends when the command has ended.
#
#     ci/docker.sh cargo ci test
#
# An engine of its own lives in a temporary folder and behind a socket there (DOCKER_HOST). It makes no bridge but those of its
# runs, and touches neither the machine's firewall nor its forwarding: containers of runs talk to this machine alone.
set -euo pipefail

STARTS_WITHIN_S=30
ENDS_WITHIN_S=20

folder=
engine=

# /_ping over the socket of $1: no client is needed.
answers() {
    python3 - "$1" 2>/dev/null <<'PYTHON'
import socket, sys
with socket.socket(socket.AF_UNIX) as engine:
    engine.settimeout(2)
    engine.connect(sys.argv[1])
    engine.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
    sys.exit(b" 200 " not in engine.recv(64))
PYTHON
}

# An engine elsewhere (tcp://) is whoever's it is: the tests say what is wrong with it.
there_is_one() {
    local host=${DOCKER_HOST:-unix:///var/run/docker.sock}
    case "$host" in
        unix://*) answers "${host#unix://}" ;;
        *) return 0 ;;
    esac
}

lives() { [ -n "$engine" ] && kill -0 "$engine" 2>/dev/null; }

stop() {
    if lives; then
        kill "$engine"
        for _ in $(seq $((ENDS_WITHIN_S * 10))); do
            lives || break
            sleep 0.1
        done
        lives && kill -KILL "$engine"
        wait "$engine" 2>/dev/null || true
    fi
    if [ -n "$folder" ]; then
        # What a killed engine had mounted would keep its folder.
        awk -v root="$folder/" 'index($2, root) == 1 { print $2 }' /proc/mounts | sort -r | xargs -r umount -l || true
        rm -rf "$folder"
    fi
}

start() {
    PATH="$PATH:/usr/sbin:/sbin"
    if ! command -v dockerd >/dev/null; then
        echo "docker: there is no engine: ci/setup.sh installs one" >&2
        return 1
    fi
    if [ "$(id -u)" != 0 ]; then
        echo "docker: no engine runs, and only root can start one: sudo systemctl start docker" >&2
        return 1
    fi
    # Short: sockets have short names.
    folder=$(mktemp -d /tmp/engine.XXXXXX)
    # In a session of its own: Ctrl-C is for the command, which needs the engine to clear up.
    setsid dockerd --data-root "$folder/data" --exec-root "$folder/exec" --pidfile "$folder/pid" \
        --host "unix://$folder/docker.sock" --bridge none --iptables=false --ip6tables=false --ip-forward=false \
        --ip-masq=false --userland-proxy=false >"$folder/log" 2>&1 &
    engine=$!
    for _ in $(seq $((STARTS_WITHIN_S * 10))); do
        if answers "$folder/docker.sock"; then
            export DOCKER_HOST="unix://$folder/docker.sock"
            return
        fi
        lives || break
        sleep 0.1
    done
    echo "docker: the engine did not start; its last words:" >&2
    tail -n 20 "$folder/log" >&2
    return 1
}

if [ $# -eq 0 ]; then
    echo "usage: ci/docker.sh COMMAND [ARGUMENT..]" >&2
    exit 2
fi
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
if ! there_is_one; then
    # Without one the command says itself what it could not do.
    start && echo "docker: an engine of its own in $folder" >&2 || true
fi
"$@"
