# shellcheck shell=bash disable=SC2154,SC2034
# PgBouncer from the distribution's package. Sourced, never run; needs system-packages.sh and
# pgbouncer.sh, and $own and $log.

POLICY=/usr/sbin/policy-rc.d

# Without root there is still the private way.
distribution_pgbouncer_will_do() {
    have_apt && may_be_root || return 1
    package_is_known pgbouncer || update_package_lists
    new_enough "$(candidate_version pgbouncer)"
}

# The package would start a service of its own, with a configuration that nobody wrote. Debian asks
# this file before it starts one; it stops mattering with this process, and concerns no other
# service. Where the machine has such a policy already, it stays.
forbid_pgbouncer_service() {
    if [[ -e $POLICY ]]; then return; fi
    printf '%s\n' '#!/bin/sh' "# poolkeeper's set-up, while it installs PgBouncer" \
        "case \$1 in pgbouncer*) kill -0 $$ 2>/dev/null && exit 101 ;; esac" 'exit 0' |
        privileged tee "$POLICY" >/dev/null
    privileged chmod 0755 "$POLICY"
}

allow_services() {
    if grep -q "^# poolkeeper's set-up" "$POLICY" 2>/dev/null; then privileged rm -f "$POLICY"; fi
}

install_distribution_pgbouncer() {
    mkdir -p "$own"
    : >"$own/installing-pgbouncer"
    trap allow_services EXIT
    forbid_pgbouncer_service
    finish_interrupted_installation
    install_packages "installing PgBouncer" pgbouncer
    allow_services
    say "switching off the service that came with the PgBouncer package"
    disable_pgbouncer_service
    rm -f "$own/installing-pgbouncer"
}

finish_interrupted_pgbouncer() {
    if [[ -e $own/installing-pgbouncer ]]; then
        need_privilege pgbouncer
        allow_services
        install_distribution_pgbouncer
    fi
}

# An image that is being built has systemctl, but no systemd that runs.
disable_pgbouncer_service() {
    if type -P systemctl >/dev/null; then
        privileged systemctl --quiet disable pgbouncer.service
        if [[ -d /run/systemd/system ]]; then privileged systemctl stop pgbouncer.service; fi
    else
        privileged update-rc.d pgbouncer disable >/dev/null
    fi
}
