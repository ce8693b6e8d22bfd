#!/usr/bin/env bash
# Installs what building and testing need and the machine lacks. If nothing is missing, it is fast and prints nothing.
#
#   tests/setup.sh build               a C compiler (SQLite is compiled in), Rust, the npm packages
#   tests/setup.sh test                the same, Rust's linter and formatter, Chromium, Postgres (the tests start their own),
#                                      on Linux strace (for power cuts), nginx and Caddy (proxies of the relay), Python
#                                      packages (independent readers of the feeds, the OpenAPI description and the protocol)
#   tests/setup.sh packages NAME...    these Debian packages
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

main() {
    local what=${1:-build}
    case $what in
    build)
        has cargo || fail "Rust is missing. Install it from https://rustup.rs, then open a new shell."
        node_is_new_enough || fail "Node $(node --version) is too old; 20.19 or newer is needed: https://nodejs.org"
        has cc || packages build-essential
        npm_packages pwa-shim
        ;;
    test)
        main build
        cargo clippy --version &>/dev/null || rustup component add clippy
        cargo fmt --version &>/dev/null || rustup component add rustfmt
        has chromium || packages chromium
        [[ $(uname) != Linux ]] || has strace || packages strace
        has pgrep || packages procps
        has openssl || packages openssl
        has_nginx || program nginx
        has caddy || program caddy
        has_postgres || postgres
        python_packages
        npm_packages tests/openapi
        ;;
    packages) packages "${@:2}" ;;
    *) fail "tests/setup.sh does not know '$what'" ;;
    esac
}

has() {
    command -v "$1" >/dev/null
}

# The minimum version in pwa-shim/package.json, for which npm only warns.
node_is_new_enough() {
    node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)'
}

# On Debian the server's programs are not in the PATH.
has_postgres() {
    has initdb || compgen -G "/usr/lib/postgresql/*/bin/initdb" >/dev/null
}

# Only the programs: Debian's package would also create a cluster and start it.
postgres() {
    local settings=/etc/postgresql-common/createcluster.d
    if has apt-get; then
        as_root mkdir -p "$settings"
        echo "create_main_cluster = false" | as_root tee "$settings/no-main-cluster.conf" >/dev/null
    fi
    packages postgresql
}

has_nginx() {
    has nginx || [[ -x /usr/sbin/nginx ]]
}

# Only the program: Debian's package would also start a web server. A masked unit is not started.
program() {
    local unit=/etc/systemd/system/$1.service
    if has apt-get && [[ ! -e $unit ]]; then
        as_root mkdir -p "${unit%/*}"
        as_root ln -s /dev/null "$unit"
    fi
    packages "$1"
}

# In a virtual environment, created again only when the list of packages changed.
python_packages() {
    local wanted=(feedparser==6.0.12 openapi-python-client==0.29.1 openapi-spec-validator==0.9.0 prometheus-client==0.23.1
        automerge==1.0.0rc1 cbor2==6.3.0 cryptography==50.0.2 pycddl==0.6.4 websockets==17.4)
    local environment=target/python
    [[ $(cat "$environment/installed" 2>/dev/null) != "${wanted[*]}" ]] || return 0
    echo "setup: installing Python packages"
    has python3 || packages python3
    rm -rf "$environment"
    # On Debian venv is a separate package.
    python3 -m venv "$environment" &>/dev/null || { packages python3-venv && python3 -m venv --clear "$environment"; }
    "$environment/bin/python" -m pip install -qq --disable-pip-version-check "${wanted[@]}"
    echo "${wanted[*]}" >"$environment/installed"
}

fail() {
    echo "setup: $1" >&2
    exit 1
}

# Debian packages, as root or through sudo.
packages() {
    [[ $EUID -eq 0 ]] || has sudo || fail "please install, as root: apt-get install $*"
    has apt-get || fail "please install what Debian calls: $*"
    echo "setup: installing $*"
    # The package lists may be old or absent. If they cannot be fetched, the installation reports the reason.
    as_root apt-get -qq update || true
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends "$@" >/dev/null ||
        fail "apt-get could not install: $*"
}

as_root() {
    if [[ $EUID -eq 0 ]]; then "$@"; else sudo "$@"; fi
}

# Installs the packages of a folder's package-lock.json, if that file changed.
npm_packages() {
    local folder=$1
    local installed=$folder/node_modules/.installed-lock.json
    cmp --silent "$folder/package-lock.json" "$installed" && return
    echo "setup: installing npm packages of $folder"
    npm --prefix "$folder" ci --no-audit --no-fund --loglevel=error
    cp "$folder/package-lock.json" "$installed"
}

main "$@"
