# shellcheck shell=bash
# Which PgBouncer will do, and which one this machine has. Sourced, never run.

# Older ones lack prepared statements in transaction mode, KILL_CLIENT and per-client limits.
OLDEST_PGBOUNCER=1.24

# as_owner_of <file> <command ...>: root does not run what another account could have written.
as_owner_of() {
    local user group
    read -r user group < <(stat -L -c '%u %g' "$1") || return
    shift
    if ((EUID != 0 || user == 0)); then
        "$@"
    else
        setpriv --reuid "$user" --regid "$group" --clear-groups "$@"
    fi
}

# pgbouncer_version <executable>: prints "1.26.1", or fails when the file does not run.
pgbouncer_version() {
    local line
    line=$(as_owner_of "$1" "$1" --version 2>/dev/null) || return 1
    line=${line%%$'\n'*}
    [[ $line =~ ^PgBouncer\ ([0-9]+\.[0-9]+(\.[0-9]+)?) ]] && printf '%s\n' "${BASH_REMATCH[1]}"
}

# new_enough <version>: major and minor number compared as numbers; a Debian revision may follow.
new_enough() {
    [[ $1 =~ ^([0-9]+)\.([0-9]+) ]] || return 1
    local major=${BASH_REMATCH[1]} minor=${BASH_REMATCH[2]}
    ((major > ${OLDEST_PGBOUNCER%.*} ||
        (major == ${OLDEST_PGBOUNCER%.*} && minor >= ${OLDEST_PGBOUNCER#*.})))
}

# The first PgBouncer that is new enough: the one installed privately, else the system's.
# An unprivileged PATH has no /usr/sbin, where the distributions put it.
usable_pgbouncer() {
    local candidate version
    for candidate in "$1/pgbouncer/current/bin/pgbouncer" "$(type -P pgbouncer)" /usr/sbin/pgbouncer; do
        [[ -x $candidate ]] || continue
        version=$(pgbouncer_version "$candidate") || continue
        if new_enough "$version"; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    return 1
}
