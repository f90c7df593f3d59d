# shellcheck shell=bash
# What the scripts say. Sourced, never run.
#
# Everything goes to stderr: a script's stdout stays free for its result.

say() { printf '==> %s\n' "$*" >&2; }

warn() { printf 'warning: %s\n' "$*" >&2; }

# fail <what went wrong> [<what to do> ...]
fail() {
    printf 'error: %s\n' "$1" >&2
    shift
    if (($#)); then printf '       %s\n' "$@" >&2; fi
    exit 1
}

# attempted <log file> <what we are doing> <command ...>
#
# One line of progress while the command works; its output goes to the log, which holds one run:
# the first command begins it anew. Returns the command's status.
attempted() {
    local log=$1 what=$2
    shift 2
    say "$what"
    if [[ -z ${log_is_begun:-} ]]; then
        { mkdir -p "${log%/*}" && : >"$log"; } || fail "cannot write the log $log" \
            "Run this as the owner of that place."
        log_is_begun=yes
    fi
    printf '\n==> %s\n' "$what" >>"$log"
    "$@" >>"$log" 2>&1 </dev/null
}

# The same, and shows the end of the log when the command fails: the caller says what to do about it.
logged() {
    local status=0
    attempted "$@" || status=$?
    if ((status)); then
        printf -- '--- the last lines of %s:\n' "$1" >&2
        tail -n 20 "$1" >&2
        printf -- '---\n' >&2
    fi
    return "$status"
}
