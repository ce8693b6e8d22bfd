# Tourismo's recipes. `just` itself comes from npm: npx --yes rust-just@1.57.0 <recipe>

set shell := ["bash", "-euo", "pipefail", "-c"]

just := just_executable()
npm := "npm --silent --prefix pwa-shim run"
types := "pwa-shim/src/generated/types.ts"
http_types := "tests/openapi/node_modules/.bin/openapi-typescript sync-server/openapi.json --output pwa-shim/src/generated/http.ts"
http_checks := "node pwa-shim/scripts/http-checks.mjs"

# The folders of the commands that `cargo test --workspace` and `release` build.
built := justfile_directory() / env("CARGO_TARGET_DIR", "target") / "debug"
released := justfile_directory() / env("CARGO_TARGET_DIR", "target") / "release"

# Always both packages: with one alone, dependencies have other features and are compiled again.
release := "cargo build --release --locked -p tourismo-server -p tourismo-tests --bin tourismo-server --bin"

[private]
default:
    @{{ just }} --list --unsorted

# Start the relay with the PWA on http://localhost:8080 (`just run 9000`: port 9000); a new database gets sample people and drives.
run port="8080": pwa
    #!/usr/bin/env bash
    set -euo pipefail
    is_served() { (: </dev/tcp/127.0.0.1/{{ port }}) 2>/dev/null; }
    if is_served; then echo "run: another program has port {{ port }}; for another port: just run 9000" >&2; exit 1; fi
    {{ release }} tourismo-replay
    samples=$([[ -e tourismo.sqlite ]] || echo 40)
    # Port 5173 is that of `npm run dev` in pwa-shim/, which forwards requests to the relay.
    at=(localhost:{{ port }} 127.0.0.1:{{ port }} localhost:5173)
    {{ released }}/tourismo-server serve --listen 127.0.0.1:{{ port }} --data tourismo.sqlite "${at[@]/#/--public-url=http://}" &
    relay=$!
    trap 'kill $relay 2>/dev/null || true; wait' EXIT
    until is_served; do kill -0 $relay; sleep 0.2; done
    [[ -z $samples ]] || {{ released }}/tourismo-replay --relay ws://127.0.0.1:{{ port }}/v1/sync --synthetic "$samples" --people 14
    echo "run: open http://localhost:{{ port }}"
    wait $relay

# Run every check and every test.
test: check test-rust test-pwa (browser built)
    @echo "test: every check and every test passed"

# Install what the machine lacks.
setup:
    @tests/setup.sh test

# Compile the core to WebAssembly: pwa-shim/pkg/.
wasm:
    @tests/setup.sh build
    @wasm/build.sh

# Build the npm package and the PWA: pwa-shim/lib/, pwa-shim/dist/.
pwa: wasm
    {{ npm }} build

# Check formats, lints, the packed npm package, the protocol's rules, the vocabulary, the code map and the replica's structs.
check: setup pwa spec vocabulary rooms state
    cargo fmt --all --check
    cargo clippy --locked --workspace --all-targets --all-features -- -D warnings
    {{ http_types }} --check
    {{ http_checks }} --check
    {{ npm }} lint
    {{ npm }} typecheck
    {{ npm }} pack:check

# Check that every rule of PROTOCOL.md has a test.
spec:
    node tests/spec.mjs

# Check that no retired term of the glossary is used.
vocabulary:
    node --test tests/vocabulary.test.mjs
    node tests/vocabulary.mjs

# Check that imports between modules follow the code map of ARCHITECTURE.md.
rooms:
    node --test tests/rooms.test.mjs
    node tests/rooms.mjs

# Check that no struct of the phone's engine has more than ten fields of state.
state:
    node --test tests/state.test.mjs
    node tests/state.mjs

# Regenerate the TypeScript types: from the Rust types, and from the OpenAPI description.
types: setup
    cargo run --quiet --locked -p tourismo-types -- {{ types }}
    {{ http_types }}
    {{ http_checks }}

# Regenerate the OpenAPI description from the code; a test of the relay compares it.
openapi:
    cargo run --quiet --locked -p tourismo-server -- openapi > target/openapi.json
    mv target/openapi.json sync-server/openapi.json

# Run the tests of the Rust crates; `just test-rust recorder` runs those with `recorder` in their names.
test-rust filter="": pwa
    TOURISMO_BINARIES={{ built }} cargo test --locked --workspace --exclude tourismo-bindgen --all-features --quiet -- {{ filter }}

# Run the tests of the TypeScript package.
test-pwa: pwa
    {{ npm }} test

# Run the browser tests in Chromium, with the commands in the folder `binaries`, or built ones.
browser binaries="": setup pwa
    TOURISMO_BINARIES={{ binaries }} node --test tests/browser/

# Kill the browser at random moments of a recording, and check every fix: `just kill-browser 50`; a seed repeats a run.
kill-browser times="50" seed="": setup pwa
    TOURISMO_KILLS={{ times }} {{ if seed == "" { "" } else { "TOURISMO_SEED=" + seed } }} node --test tests/browser/kill.test.mjs

# Load drives into a relay from GPX files, or synthetic ones, without a browser; `just replay --help` explains.
replay *arguments:
    {{ release }} tourismo-replay --quiet
    {{ released }}/tourismo-replay {{ arguments }}

# `just sim --seeds 100000` runs for hours; `just sim --first SEED --trace` prints one.
# Simulate phones, relays and faults, each seed twice; `just sim --help` explains.
sim *arguments:
    {{ release }} tourismo-sim --quiet
    {{ released }}/tourismo-sim {{ arguments }}

# Look for the homes of made people in what is published of their drives, and write what is found to PRIVACY.md.
privacy *arguments:
    {{ release }} tourismo-privacy --quiet
    {{ released }}/tourismo-privacy --write PRIVACY.md {{ arguments }}

# Attack the relay in every known way beside an honest phone; fails if a bound does not hold; `just attack --help` explains.
attack *arguments:
    {{ release }} tourismo-attack --quiet
    TOURISMO_BINARIES={{ released }} {{ released }}/tourismo-attack {{ arguments }}

# Fuzz one of the targets in tests/fuzz/ for a while: `just fuzz wire 300`. Needs nightly Rust and `cargo install cargo-fuzz`.
fuzz target seconds="60":
    mkdir -p tests/fuzz/found/{{ target }}
    cargo +nightly fuzz run --sanitizer none --fuzz-dir tests/fuzz --target-dir target/fuzz {{ target }} tests/fuzz/found/{{ target }} \
        tests/fuzz/corpus/{{ target }} -- -max_total_time={{ seconds }} -timeout=10 -rss_limit_mb=1024 -max_len=16384

# `just kill --times 300`, `just kill --victim postgres`.
# Kill the relay, or its Postgres, while clients push, and check every acknowledged change; `just kill --help` explains.
kill *arguments:
    {{ release }} tourismo-kill --quiet
    TOURISMO_BINARIES={{ released }} {{ released }}/tourismo-kill {{ arguments }}

# Measure Tourismo, samod and automerge-repo, and write BENCHMARKS.md (half an hour); `just bench --only PART` measures one table.
bench *arguments: wasm
    npm --prefix tests/peers install --omit=optional --no-audit --no-fund --loglevel=error
    cargo build --quiet --release --locked --manifest-path tests/peers/Cargo.toml --target-dir target/peers
    {{ release }} tourismo-bench --quiet
    TOURISMO_BINARIES={{ released }} {{ released }}/tourismo-bench \
        --samod target/peers/release/samod-peer --write BENCHMARKS.md {{ arguments }}

# Format all code: Rust, TypeScript, CSS and JSON.
fmt:
    cargo fmt --all
    {{ npm }} format
