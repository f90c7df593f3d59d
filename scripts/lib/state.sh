# shellcheck shell=bash
# Where Poolkeeper keeps its state, and the account that its servers run as. Sourced, never run.

ACCOUNT=poolkeeper

as_root() { ((EUID == 0)); }

# The same rule as the control plane's: POOLKEEPER_HOME, else the system's place, else the user's.
state_directory() {
    if [[ -n ${POOLKEEPER_HOME:-} ]]; then
        printf '%s\n' "${POOLKEEPER_HOME%/}"
    elif as_root; then
        printf '/var/lib/poolkeeper\n'
    else
        printf '%s/.local/share/poolkeeper\n' "${HOME:?HOME is not set: set it, or POOLKEEPER_HOME}"
    fi
}

account_exists() { id -u "$ACCOUNT" >/dev/null 2>&1; }

# ensure_state_directory <directory>
#
# Root's directory may be crossed, but not listed, by the account that PostgreSQL and PgBouncer run
# as. One that belongs to somebody else is left alone: the systemd unit gives it to the account.
ensure_state_directory() {
    local directory=$1 wanted
    wanted="700 $EUID:$(id -g)"
    [[ $directory == /* ]] || fail "POOLKEEPER_HOME is not an absolute path: $directory" \
        "Set it to one that begins with '/', or unset it."
    if as_root && account_exists; then
        wanted="710 0:$(id -g "$ACCOUNT")"
    fi
    if [[ ! -d $directory ]]; then
        mkdir -p "$directory" || fail "cannot make the state directory $directory" \
            "Set POOLKEEPER_HOME to a place that you may write to."
    fi
    if [[ -O $directory && $(stat -c '%a %u:%g' "$directory") != "$wanted" ]]; then
        chown "${wanted#* }" "$directory"
        chmod "${wanted%% *}" "$directory"
    fi
}
