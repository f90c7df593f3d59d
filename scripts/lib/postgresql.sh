# shellcheck shell=bash disable=SC2154,SC2034
# The distribution's PostgreSQL. Sourced, never run; needs system-packages.sh.

# Any major will do: Poolkeeper offers every one that is installed.
postgresql_is_there() {
    local initdb
    for initdb in /usr/lib/postgresql/*/bin/initdb /usr/pgsql-*/bin/initdb "$(type -P initdb)"; do
        [[ -x $initdb && -x ${initdb%/*}/postgres ]] && return
    done
    return 1
}

# Poolkeeper makes its own clusters. The packages would also make and start one on port 5432 that
# nobody asked for, so they are told not to, before the server comes. A machine that had a server
# before us never gets here, and an administrator's own choice stands.
CLUSTER_DEFAULTS=/etc/postgresql-common/createcluster.conf
OUR_CLUSTER_DEFAULTS=/etc/postgresql-common/createcluster.d/poolkeeper.conf

no_cluster_by_default() {
    [[ -n $(pg_conftool "$CLUSTER_DEFAULTS" show -s create_main_cluster 2>/dev/null) ]] && return
    say "telling postgresql-common to make no cluster by itself ($OUR_CLUSTER_DEFAULTS)"
    privileged mkdir -p "${OUR_CLUSTER_DEFAULTS%/*}"
    printf '%s\n' "# Written by Poolkeeper's set-up, before it installed PostgreSQL: Poolkeeper makes its own clusters." \
        "# Remove this file to have the packages make and start a 'main' cluster again." \
        "create_main_cluster = false" | privileged tee "$OUR_CLUSTER_DEFAULTS" >/dev/null
    [[ $(pg_conftool "$CLUSTER_DEFAULTS" show -bs create_main_cluster 2>/dev/null) == off ]] ||
        fail "postgresql-common does not read $OUR_CLUSTER_DEFAULTS" \
            "Put 'create_main_cluster = false' into $CLUSTER_DEFAULTS, then run this again."
}

ensure_postgresql() {
    postgresql_is_there && return
    have_apt || fail "PostgreSQL is not installed, and there is no apt to install it with" "$WITHOUT_APT"
    package_installed postgresql-common ||
        install_packages "installing postgresql-common" postgresql-common
    no_cluster_by_default
    install_packages "installing PostgreSQL" postgresql
    postgresql_is_there || fail "the package 'postgresql' brought no server" "Log: $log"
}
