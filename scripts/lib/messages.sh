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
    if [[ $BASH_SUBSHELL != 0 ]]; then exit $SAID; fi
    exit 1
}

# How a subshell ends that has said why: $(state_directory) ends the script, too.
SAID=67

# Under `set -e` a command that fails ends the script, and not every command says a word.
unforeseen() {
    local status=$1 command=$2 place=$3
    # What happens in a subshell is the failure of whoever started it.
    if [[ $BASH_SUBSHELL != 0 || $- != *e* ]]; then return; fi
    if [[ $status == "$SAID" ]]; then exit 1; fi
    printf 'error: %s: this ended with status %s, for which nothing was prepared: %s\n' \
        "$place" "$status" "${command%%$'\n'*}" >&2
    printf '       Run it again. If it ends here once more, what stands above, if anything, is why.\n' >&2
}
set -o errtrace
trap 'unforeseen "$?" "$BASH_COMMAND" "${BASH_SOURCE[0]:-$0}:$LINENO"' ERR

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
