# shellcheck shell=bash disable=SC2154,SC2034
# The virtual environment in the repository. Sourced, never run; needs messages.sh and
# system-packages.sh, and $root, $venv and $log.

# $stamp is written last and removed before any change: an environment without one was never
# finished. Its first line says which environment it is, its second what was put into it.
stamp=$venv/poolkeeper-stamp

python_version() { "$1" -I -S -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null; }

# Debian keeps ensurepip, without which there is no pip in an environment, in python3-venv.
python_will_do() {
    [[ -x $1 ]] && "$1" -I -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

# The distribution's first: it gets security updates, and every account may run it.
find_python() {
    local python
    for python in /usr/bin/python3 "$(type -P python3)" /usr/bin/python3.1[1-9] \
        "$(type -P python3.13)" "$(type -P python3.12)" "$(type -P python3.11)"; do
        if python_will_do "$python"; then
            printf '%s\n' "$python"
            return
        fi
    done
    return 1
}

ensure_python() {
    if python=$(find_python); then return; fi
    have_apt || fail "there is no Python >= 3.11 with 'venv'" "$WITHOUT_APT"
    install_packages "installing Python" python3 python3-venv
    python=$(find_python) || fail "this system's Python is older than 3.11, or has no 'venv'" \
        "Install a newer one so that 'python3' finds it, then run this again."
}

# The programs in an environment carry its path, its packages the version of its Python.
identity() {
    local version
    version=$(python_version "$venv/bin/python") && printf '%s %s\n' "$version" "$venv"
}

contents() { cat "$root/pyproject.toml" "$root/constraints.txt" | sha256sum; }

# environment_is_current <extra>: the development environment serves for running as well.
environment_is_current() {
    local have_identity='' have_extra='' have_contents=''
    [[ -x $venv/bin/poolkeeper && -r $stamp ]] || return 1
    { read -r have_identity && read -r have_extra have_contents; } <"$stamp" || return 1
    [[ $have_identity == "$(identity)" && $have_contents == "$(contents)" ]] || return 1
    [[ $have_extra == dev || $have_extra == "$1" ]]
}

# pip mends an environment that was finished once; any other is made anew.
environment_can_be_mended() {
    local have_identity
    [[ -r $stamp ]] && read -r have_identity <"$stamp" && [[ $have_identity == "$(identity)" ]] &&
        "$venv/bin/python" -m pip --version >/dev/null 2>&1
}

make_environment() {
    environment_can_be_mended && return
    if [[ -e $venv || -L $venv ]]; then
        say "removing an unfinished or outdated $venv"
        rm -rf "$venv"
    fi
    ensure_python
    logged "$log" "making a virtual environment with $python" "$python" -m venv "$venv" ||
        fail "could not make $venv" "Is the disk full? Then run this again. Log: $log"
}

pip_install() {
    "$venv/bin/python" -m pip install --disable-pip-version-check --no-input -c "$root/constraints.txt" "$@"
}

# The build backend is pinned like everything else, so it is installed first and not fetched by pip.
install_project() {
    local target=$root
    [[ $1 == run ]] || target="${root}[$1]"
    pip_install hatchling && pip_install --no-build-isolation -e "$target"
}

ensure_environment() {
    local extra=$1
    environment_is_current "$extra" && return
    [[ -w $root && (! -e $venv || -w $venv) ]] ||
        fail "$venv needs an update, and $(id -un) may not write there" "Run this as its owner, $(stat -c %U "$root")."
    make_environment
    # Where somebody develops, an update keeps the tools.
    if [[ -x $venv/bin/pytest ]]; then extra=dev; fi
    rm -f "$stamp"
    logged "$log" "installing Poolkeeper and what it needs (a minute, the first time)" install_project "$extra" ||
        fail "pip could not install what Poolkeeper needs" \
            "Can pip reach its package index? See 'pip config list' and the proxy, then run this again. Log: $log"
    { identity && printf '%s %s\n' "$extra" "$(contents)"; } >"$stamp.new"
    mv "$stamp.new" "$stamp"
}
