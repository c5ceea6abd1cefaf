# Sourced by the other scripts: packages from apt, and a virtual environment from a hashed lock.
# They run from the repository's top folder.

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
venv=${POSTERN_VENV:-$PWD/.venv}

say() { printf '%s\n' "$*" >&2; }

# The first Python of at least 3.11.
find_python() {
    local one
    for one in "${PYTHON:-python3}" python3 python3.13 python3.12 python3.11 /usr/bin/python3; do
        if command -v "$one" >/dev/null && "$one" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
            python=$one
            return
        fi
    done
    python=
}

# Debian packages of those named that are not installed.
missing_packages() {
    local one
    for one in "$@"; do
        if [ "$(dpkg-query -W -f='${db:Status-Status}' "$one" 2>/dev/null)" != installed ]; then
            printf '%s ' "$one"
        fi
    done
}

# Install the packages that are missing; as another user than root, say which they are and give up.
need_packages() {
    local missing
    if ! command -v dpkg-query >/dev/null; then
        say "This is not Debian: install what these packages hold yourself: $*"
        return
    fi
    missing=$(missing_packages "$@")
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" != 0 ]; then
        say "These Debian packages are missing. Install them as root, then come back:"
        say "  apt-get install --no-install-recommends $missing"
        exit 4
    fi
    say "Installing $missing"
    install_packages $missing
}

# As root. The packages' own daemons are neither started nor enabled: Postern runs its own, privately.
install_packages() {
    local policy=/usr/sbin/policy-rc.d made=
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
        made=yes
    fi
    if command -v debconf-set-selections >/dev/null; then
        echo 'postfix postfix/main_mailer_type select No configuration' | debconf-set-selections || true
    fi
    local failed=
    { DEBIAN_FRONTEND=noninteractive apt-get update -qq &&
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
            -o Dpkg::Use-Pty=0 "$@" >/dev/null; } </dev/null || failed=yes
    [ -z "$made" ] || rm -f "$policy"
    if [ -n "$failed" ]; then
        say "apt-get could not install: $*"
        exit 4
    fi
    if [ -d /run/systemd/system ]; then
        local one
        for one in dovecot postfix postgresql nginx caddy nsd opendkim opendmarc; do
            case " $* " in *" $one"*) systemctl disable --quiet --now "$one" 2>/dev/null || true ;; esac
        done
    fi
}

# Make or refresh the virtual environment from LOCK (and the build tools); nothing when it is up to date.
need_venv() { # need_venv LOCK
    local lock=$1 stamp wanted
    find_python
    if [ -z "$python" ] || ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
        need_packages python3 python3-venv
        find_python
        if [ -n "$python" ] && ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
            python=/usr/bin/python3 # the packages are for this one
        fi
    fi
    if [ -z "$python" ] || ! "$python" -c 'import venv, ensurepip, sys; sys.exit(sys.version_info < (3, 11))'; then
        say "Postern needs Python 3.11 or newer with venv; set PYTHON to one."
        exit 4
    fi
    # two starts at once: the second waits, then finds it made
    exec 9>".venv.lock"
    flock 9
    stamp=$venv/postern-stamp
    wanted="$(cat requirements-build.lock "$lock" pyproject.toml | sha256sum) $PWD $("$python" -VV)"
    if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && [ -x "$venv/bin/postern" ]; then
        exec 9>&-
        return
    fi
    say "Making the Python environment in $venv"
    rm -rf "$venv"
    "$python" -m venv "$venv"
    local pip=("$venv/bin/python" -m pip --disable-pip-version-check install --quiet --no-warn-script-location)
    "${pip[@]}" --require-hashes --only-binary :all: -r requirements-build.lock
    # with the build tools in place nothing is fetched that has no hash
    "${pip[@]}" --require-hashes --no-build-isolation --use-pep517 -r "$lock"
    "${pip[@]}" --no-deps --no-build-isolation -e .
    printf '%s\n' "$wanted" >"$stamp"
    exec 9>&-
}
