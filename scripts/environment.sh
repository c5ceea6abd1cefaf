# Sourced by the other scripts: packages from apt, and a virtual environment from a hashed lock.
# They run from the repository's top folder.
#
# First everything is checked that can be: what cannot work is said before anything is installed. Then each step
# prints one line, and what its programs print goes to the log beside the environment.

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
venv=${POSTERN_VENV:-$PWD/.venv}
log=$venv.log
program=postern # what the environment is for; scripts/docs makes one for mkdocs, without Postern in it
VENV_MEGABYTES=400 # what it takes, with what pip keeps for the next one
systems="Debian 12 or 13, or Ubuntu 24.04 or 26.04"

red='' green='' dim='' plain='' terminal=
if [ -t 2 ] && [ "${TERM:-dumb}" != dumb ]; then
    terminal=yes
    if [ -z "${NO_COLOR:-}" ]; then red=$'\e[31m' green=$'\e[32m' dim=$'\e[2m' plain=$'\e[0m'; fi
fi

say() { printf '%s\n' "$*" >&2; }

# Say why it does not go on, and end.
refuse() {
    say "$red${0##*/}:$plain $*"
    exit 4
}

# Run a command as one line on the screen: step TITLE COMMAND...
# Its output goes to the log; when it fails, the end of it is shown. It is not stopped by errexit: chain with &&.
step() {
    local title=$1 began=$SECONDS from ticker= took failed=
    shift
    printf '\n== %s, %s\n' "$title" "$(date '+%F %T')" >>"$log"
    from=$(($(wc -c <"$log") + 1))
    printf '%s ... ' "$title" >&2
    if [ -n "$terminal" ]; then # a sign of life on a terminal
        while sleep 5; do printf '\r%s ... %s%s s%s ' "$title" "$dim" $((SECONDS - began)) "$plain" >&2; done &
        ticker=$!
        trap 'kill $ticker 2>/dev/null' EXIT
    fi
    trap 'say; exit 130' INT TERM
    "$@" </dev/null >>"$log" 2>&1 || failed=yes
    trap - INT TERM
    if [ -n "$ticker" ]; then
        kill $ticker 2>/dev/null || true
        wait $ticker 2>/dev/null || true
        trap - EXIT
        printf '\r%s ... ' "$title" >&2
    fi
    took=$((SECONDS - began))
    if [ -z "$failed" ]; then
        if [ $took -gt 2 ]; then say "${green}done$plain ($took s)"; else say "${green}done$plain   "; fi
        return 0
    fi
    say "${red}failed$plain ($took s)"
    tail -c "+$from" "$log" | tail -n 15 | sed 's/^/    /' >&2
    say "All of it is in $log"
    return 1
}

# --- Python ---

_usable='import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))'

# Set `python` to the first Python of at least 3.11 that can make environments; to nothing when there is none.
find_python() {
    local one
    for one in "${PYTHON:-python3}" python3 /usr/bin/python3 python3.14 python3.13 python3.12 python3.11; do
        if command -v "$one" >/dev/null && "$one" -c "$_usable" 2>/dev/null; then
            python=$one
            return
        fi
    done
    python=
}

# What the environment is made from: another answer means that it must be made anew.
venv_wanted() { # venv_wanted LOCK
    local project=pyproject.toml
    [ "$program" = postern ] || project=
    printf '%s' "$(cat requirements-build.lock "$1" $project | sha256sum) $PWD $("$python" -VV)"
}

# Whether it is there for LOCK. What is made for development holds all that the gateway needs, in the same versions.
venv_is_current() { # venv_is_current LOCK
    local stamp
    [ -n "$python" ] && [ -x "$venv/bin/$program" ] && [ -f "$venv/postern-stamp" ] || return 1
    stamp=$(cat "$venv/postern-stamp")
    [ "$stamp" = "$(venv_wanted "$1")" ] || [ "$stamp" = "$(venv_wanted requirements-dev.lock)" ]
}

# Make or refresh the virtual environment from LOCK (and the build tools); nothing when it is up to date.
need_venv() { # need_venv LOCK
    ! venv_is_current "$1" || return 0
    # two starts at once: the second waits, then finds it made
    exec 9>"$venv.lock"
    flock --nonblock 9 || {
        say "Another start is making $venv: waiting for it"
        flock 9
    }
    if ! venv_is_current "$1"; then
        step "Making the Python environment in ${venv#"$PWD"/} ($("$python" -V))" make_venv "$1" ||
            refuse "the Python packages could not be installed: see above; without a network nothing can be"
    fi
    exec 9>&-
}

make_venv() {
    local pip=("$venv/bin/python" -m pip --disable-pip-version-check install --progress-bar off
        --no-warn-script-location)
    # one that only lacks the packages for development gets them while a gateway may be running in it
    venv_is_current requirements.lock ||
        { rm -rf "$venv" &&
            "$python" -m venv "$venv" &&
            "${pip[@]}" --require-hashes --only-binary :all: -r requirements-build.lock; } || return 1
    # with the build tools in place nothing is fetched that has no hash
    "${pip[@]}" --require-hashes --no-build-isolation --use-pep517 -r "$1" &&
        { [ "$program" != postern ] || "${pip[@]}" --no-deps --no-build-isolation -e .; } &&
        venv_wanted "$1" >"$venv/postern-stamp"
}

# --- packages ---

# Debian packages of those named that are not installed.
missing_packages() {
    local one
    for one in "$@"; do
        if [ "$(dpkg-query -W -f='${db:Status-Status}' "$one" 2>/dev/null)" != installed ]; then
            printf '%s ' "$one"
        fi
    done
}

is_one_of() { # is_one_of WORD WORD...
    local wanted=$1 one
    shift
    for one in "$@"; do [ "$one" != "$wanted" ] || return 0; done
    return 1
}

# The version that apt would install of a package; nothing when it has none.
candidate() {
    LC_ALL=C apt-cache policy "$1" 2>/dev/null | sed -n 's/^  Candidate: //p' | grep -vFx '(none)' || true
}

system_name() { (. /etc/os-release 2>/dev/null && printf '%s' "${PRETTY_NAME:-this system}") || printf 'this system'; }

# Refuse what apt would install when Postern cannot work with it. Decided by version, not by the system's name.
check_versions() { # check_versions MISSING...
    local version
    version=$(candidate dovecot-core)
    case " $* " in *" dovecot-core "*)
        case ${version#*:} in
        '' | 2.3.* | 2.4.*) ;;
        *) refuse "Postern needs Dovecot 2.3 or 2.4, and apt would install $version ($(system_name)). Use $systems." ;;
        esac
        ;;
    esac
    version=$(candidate python3)
    case " $* " in *" python3 "* | *" python3-venv "*)
        if [ -n "$version" ] && dpkg --compare-versions "$version" lt 3.11; then
            refuse "Postern needs Python 3.11 or newer, and apt would install $version ($(system_name))." \
                "Use $systems, or set PYTHON to another Python."
        fi
        ;;
    esac
}

# Megabytes that apt says an installation takes, with its downloads: read from `apt-get install --assume-no`.
megabytes_of() {
    awk '/^Need to get / || /^After this operation, .* will be used/ {
            sub(/^Need to get /, ""); sub(/^After this operation, /, ""); sub(/^[^\/ ]+ [kMGT]?B\//, "")
            gsub(/,/, "", $1)
            sum += $1 * ($2 ~ /^G/ ? 1000 : $2 ~ /^M/ ? 1 : 0.001)
        }
        END { printf "%d", sum + 1 }'
}

free_megabytes() { df -Pk "$1" | awk 'NR == 2 { printf "%d", $4 / 1000 }'; }

# Refuse when the packages (APT megabytes) and the environment (VENV megabytes) do not fit on their disks.
check_room() { # check_room APT VENV
    local apt=$1 made=$2 place
    place=$(dirname -- "$venv")
    if [ "$(stat -c %d /usr)" = "$(stat -c %d "$place")" ]; then apt=$((apt + made)) made=0; fi
    if [ "$apt" -gt 0 ] && [ "$apt" -gt "$(free_megabytes /usr)" ]; then
        refuse "there is not enough room: it takes about $apt MB, and $(free_megabytes /usr) MB are free on the disk of /usr"
    fi
    if [ "$made" -gt 0 ] && [ "$made" -gt "$(free_megabytes "$place")" ]; then
        refuse "there is not enough room: it takes about $made MB, and $(free_megabytes "$place") MB are free in $place"
    fi
}

# As root. The packages' own daemons are neither started nor enabled: Postern runs its own, privately.
install_packages() (
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        trap 'rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy" || exit 1
    fi
    case " $* " in *" postfix "*)
        if command -v debconf-set-selections >/dev/null; then
            echo 'postfix postfix/main_mailer_type select No configuration' | debconf-set-selections
        fi
        ;;
    esac
    apt_get install -y --no-install-recommends -o Dpkg::Use-Pty=0 "$@" || exit 1
    if [ -d /run/systemd/system ]; then
        for one in dovecot postfix postgresql nginx caddy nsd opendkim opendmarc; do
            case " $* " in *" $one"*) systemctl disable --quiet --now "$one" 2>/dev/null ;; esac
        done
    fi
    exit 0
)

# A machine that has just been made updates itself in its first minutes: wait for that.
apt_get() { LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@"; }

# Sort the missing packages: there (apt has them), left (it has not, and they may be left out), lost (it must have them).
sort_missing() {
    local one
    there='' left='' lost=''
    for one in $missing; do
        if [ -n "$(candidate "$one")" ]; then
            there+="$one "
        elif is_one_of "$one" "${optional[@]}"; then
            left+="$one "
        else
            lost+="$one "
        fi
    done
}

# Find out what apt would do about $missing: sets `missing` to what it can install and `size` to its megabytes.
plan_packages() {
    local there left lost plan
    check_versions $missing
    if [ "$(id -u)" != 0 ]; then
        refuse "these packages are missing. Install them as root, then come back:"$'\n' \
            " apt-get install --no-install-recommends ${missing% }"
    fi
    sort_missing
    if [ -n "$there$lost" ]; then
        step "Reading apt's lists of packages" apt_get update -q ||
            refuse "apt-get update failed: is there a network, and are the sources in /etc/apt right?"
        sort_missing
    fi
    if [ -n "$lost" ] && [ -z "$there" ]; then
        refuse "apt has none of these packages: ${lost% }. Is there a network? See /etc/apt and $log"
    elif [ -n "$lost" ]; then
        refuse "apt has no package ${lost% } here ($(system_name))." \
            "On Ubuntu, add the component universe; otherwise use $systems."
    fi
    [ -z "$left" ] || say "apt has no package ${left% } here: tests that need it will be skipped"
    missing=$there
    [ -n "$missing" ] || return 0
    check_versions $missing
    plan=$(apt_get install --no-install-recommends --assume-no $missing 2>&1) || true # it answers no: that is an error
    if printf '%s' "$plan" | grep '^E: ' >&2; then refuse "apt would not install ${missing% }"; fi
    size=$(printf '%s\n' "$plan" | megabytes_of)
}

# Everything that a script needs: prepare LOCK PACKAGE... [--if-any PACKAGE...]
# Packages after --if-any are left out, with a word, where apt has none of that name.
prepare() {
    local lock=$1 packages=() optional=() missing='' size=0 made=0
    shift
    while [ $# -gt 0 ] && [ "$1" != --if-any ]; do packages+=("$1") && shift; done
    [ $# -eq 0 ] || { shift && optional=("$@"); }

    find_python
    if ! venv_is_current "$lock"; then
        mkdir -p -- "$(dirname -- "$venv")" 2>/dev/null || true
        if [ ! -w "$(dirname -- "$venv")" ]; then
            refuse "$(id -un) cannot write to $(dirname -- "$venv"): take a copy of your own, or set POSTERN_VENV"
        fi
        made=$VENV_MEGABYTES
    fi
    if command -v dpkg-query >/dev/null && command -v apt-get >/dev/null; then
        [ -n "$python" ] || packages+=(python3 python3-venv)
        missing=$(missing_packages "${packages[@]}" "${optional[@]}")
        [ -z "$missing" ] || plan_packages
    elif [ ${#packages[@]} -gt 0 ]; then
        say "This is not Debian: install what these packages hold yourself: ${packages[*]}"
    fi
    check_room "$size" "$made"
    if [ -n "$missing" ]; then
        step "Installing $(printf '%s' "$missing" | wc -w) packages with apt (about $size MB)" install_packages $missing ||
            refuse "apt could not install ${missing% }"
        find_python
    fi
    [ -n "$python" ] || refuse "Postern needs Python 3.11 or newer with venv: set PYTHON to one"
    need_venv "$lock"
}
