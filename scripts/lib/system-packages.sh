# shellcheck shell=bash disable=SC2154,SC2034
# Debian's and Ubuntu's packages. Sourced, never run; needs messages.sh and state.sh, and $own
# and $log.

WITHOUT_APT="Install PostgreSQL's server programs, PgBouncer and Python (3.11 or newer, with venv) your system's way, then run this again."

have_apt() { type -P apt-get >/dev/null && type -P dpkg-query >/dev/null; }

# Anything else may still work, when the programs are there.
warn_about_system() {
    local name
    # shellcheck source=/dev/null
    name=$(. /etc/os-release 2>/dev/null && printf '%s %s' "${ID:-}" "${VERSION_ID:-}") || true
    case $name in
    "debian 12" | "debian 13" | "ubuntu 24."* | "ubuntu 2"[5-9].* | "ubuntu "[3-9][0-9].*) ;;
    *) warn "Poolkeeper is made for Debian 12 and 13 and Ubuntu 24.04 and newer, not '${name:-this system}'; going on" ;;
    esac
}

# privileged <command ...>: as root, by sudo if need be.
privileged() {
    if as_root; then "$@"; else sudo -n -- "$@"; fi
}

may_be_root() { as_root || sudo -n true 2>/dev/null; }

# sudo asks for the password here, if at all: later on it has no terminal to ask at.
need_privilege() {
    may_be_root && return
    if [[ -t 0 ]] && type -P sudo >/dev/null; then
        say "sudo is needed to install: $*"
        sudo -v && return
    fi
    fail "packages are missing ($*), and installing them takes root or sudo" \
        "Run this as root, or ask an administrator for all that it needs:" \
        "apt-get install postgresql python3 python3-venv"
}

package_installed() {
    # shellcheck disable=SC2016 # dpkg's placeholder, not the shell's
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

# needrestart would offer to restart services of this machine. The lock on descriptor 8 is closed,
# for a service that the packages start would hold it for good.
packaging() { privileged env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 "$@" 8<&-; }

# Unattended upgrades may hold dpkg's lock for a while.
apt_quietly() { packaging apt-get -q -y -o DPkg::Lock::Timeout=300 "$@"; }

package_is_known() { apt-cache show "$1" >/dev/null 2>&1; }

# The version that apt would install, or nothing.
candidate_version() {
    LC_ALL=C apt-cache policy "$1" 2>/dev/null | awk '$1 == "Candidate:" && $2 != "(none)" { print $2 }'
}

# Only when something is to be installed.
update_package_lists() {
    logged "$log" "reading the package lists" apt_quietly update ||
        fail "apt-get update failed" "Mend this machine's apt sources or its network, then run this again. Log: $log"
    lists_are_fresh=yes
}

# apt_install <attempted | logged> <what we are doing> <package ...>
apt_install() { "$1" "$log" "$2" apt_quietly install --no-install-recommends "${@:3}"; }

# install_packages <what we are doing> <package ...>
#
# $own/installing stays behind when this is killed: dpkg may then have unpacked packages that it
# did not configure, and to look for their programs would not tell.
install_packages() {
    local what=$1
    shift
    need_privilege "$@"
    mkdir -p "$own"
    printf '%s\n' "$@" >"$own/installing"
    if ! install_with_good_lists "$what" "$@"; then
        rm -f "$own/installing"
        fail "apt could not install: $*" \
            "See the lines above; 'apt-get -f install' often helps. Then run this again. Log: $log"
    fi
    rm -f "$own/installing"
}

# With old lists apt asks the mirror for files that have gone: then once more, with fresh lists.
install_with_good_lists() {
    if [[ -z ${lists_are_fresh:-} ]]; then
        if package_is_known "$2" && apt_install attempted "$@"; then return; fi
        update_package_lists
    fi
    apt_install logged "$@"
}

finish_interrupted_installation() {
    if [[ ! -s $own/installing ]]; then return; fi
    local -a packages
    mapfile -t packages <"$own/installing"
    need_privilege "${packages[@]}"
    logged "$log" "finishing an installation that was interrupted" \
        packaging dpkg --configure -a ||
        fail "dpkg could not finish what was interrupted" "Mend it by hand: dpkg --configure -a. Log: $log"
    install_packages "installing ${packages[*]}" "${packages[@]}"
}
