#!/usr/bin/env bash
# Compiles tourismo-wasm and tourismo-import-wasm, generates their JavaScript and optimises them for download, into
# pwa-shim/pkg/. Does nothing if nothing changed.
#
# The compiler is the first of these that is installed or can be installed:
#   1. the current Rust toolchain, with the standard library for WebAssembly, which rustup installs;
#   2. Debian's rustc-web, which contains the source of the standard library and compiles it, too.
# TOURISMO_WASM_COMPILER=rustup or =debian chooses one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

triple=wasm32-unknown-unknown
# A separate target folder: in a common one the two compilers would invalidate each other's artifacts.
target=target/wasm
package=pwa-shim/pkg

# The folder of the sources of dependencies, one folder for each registry.
registries=${CARGO_HOME:-$HOME/.cargo}/registry/src

# The crates, and the largest download of each in bytes with brotli.
declare -A limits=([tourismo-wasm]=560000 [tourismo-import-wasm]=300000)

main() {
    local fingerprint
    fingerprint=$(fingerprint)
    if [[ -f $package/.fingerprint && $(<"$package/.fingerprint") == "$fingerprint" ]]; then
        echo "wasm: unchanged"
        return
    fi
    local compiler
    compiler=$(choose_compiler)
    echo "wasm: compiling with $compiler's $("compile_by_$compiler" --version)"
    rm -rf "$package"
    local crate
    for crate in "${!limits[@]}"; do
        # One after the other: together, they would have each other's features of their dependencies.
        "compile_by_$compiler" build --locked --profile wasm --target "$triple" --target-dir "$target" -p "$crate"
        shrink "${crate//-/_}"
        if grep --quiet --fixed-strings "$registries" "$package/${crate//-/_}_bg.wasm"; then
            echo "wasm: $crate contains paths of this machine" >&2
            return 1
        fi
        node wasm/size.mjs "$package/${crate//-/_}_bg.wasm" "${limits[$crate]}"
    done
    echo "$fingerprint" >"$package/.fingerprint"
}

# A hash of all source files of the package and of the version of wasm-opt.
fingerprint() {
    find Cargo.toml Cargo.lock core wasm pwa-shim/node_modules/binaryen/package.json -type f -print0 |
        sort -z | xargs -0 sha256sum | sha256sum | cut -d' ' -f1
}

# Prints the compiler to use, after its installation.
choose_compiler() {
    local wanted=${TOURISMO_WASM_COMPILER:-rustup or debian}
    if [[ $wanted == *rustup* ]] && has_std; then
        echo rustup
    elif [[ $wanted == *debian* ]] && has_debian; then
        echo debian
    elif [[ $wanted == *rustup* ]] && add_std; then
        echo rustup
    elif [[ $wanted == *debian* ]] && add_debian; then
        echo debian
    else
        echo "wasm: there is no compiler for $triple" >&2
        return 1
    fi
}

has_std() {
    compgen -G "$(rustc --print target-libdir --target "$triple" 2>/dev/null)/libstd-*.rlib" >/dev/null
}

# Without output and with a short timeout: without a network this fails, and the other compiler is used.
add_std() {
    command -v rustup >/dev/null && timeout 120 rustup --quiet target add "$triple" &>/dev/null && has_std
}

has_debian() {
    [[ -x /usr/bin/cargo && -d /usr/lib/rustlib/src/rust/library ]] && command -v wasm-ld-22 >/dev/null
}

add_debian() {
    tests/setup.sh packages rustc-web cargo-web rust-web-src lld-22 >&2 && has_debian
}

compile_by_rustup() {
    without_local_paths cargo "$@"
}

# -Z options need a nightly compiler, or RUSTC_BOOTSTRAP with a stable one. A standard library that is compiled here can be
# optimised for size, mainly by smaller sort functions.
compile_by_debian() {
    PATH=/usr/bin:$PATH RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-ld-22 \
        without_local_paths /usr/bin/cargo -Zbuild-std=std,panic_abort -Zbuild-std-features=optimize_for_size "$@"
}

# Runs a cargo with its arguments so that panic messages name the source files of dependencies by crate and version. Without
# this, the module contains the home folder of the person who compiled it, and its size depends on that folder's name.
without_local_paths() {
    local cargo=$1 registry flags=${CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS:-}
    shift
    # The folders of sources have their names only after the download.
    "$cargo" fetch --quiet --locked
    for registry in "$registries"/*; do
        flags+=" --remap-path-prefix=$registry/="
    done
    CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS=$flags "$cargo" "$@"
}

# The module of a crate, by its name.
shrink() {
    cargo run --quiet --locked -p tourismo-bindgen -- "$target/$triple/wasm/$1.wasm" "$package"
    # The features that rustc enables by default for this target; all browsers of the last years support them.
    local features=(bulk-memory multivalue mutable-globals nontrapping-float-to-int reference-types sign-ext)
    # Selected passes. -O3 and -Oz make the file smaller and the compressed file larger, by a tenth: they renumber the
    # local variables of each function, so that brotli finds fewer repetitions. Sorting by name places the instances of a
    # generic function next to each other.
    local passes=(duplicate-function-elimination precompute-propagate optimize-instructions dce vacuum
        remove-unused-module-elements simplify-globals-optimizing dae-optimizing directize duplicate-function-elimination
        reorder-functions-by-name strip-debug strip-producers strip-target-features)
    pwa-shim/node_modules/.bin/wasm-opt "${features[@]/#/--enable-}" "${passes[@]/#/--}" \
        "$package/$1_bg.wasm" -o "$package/$1_bg.wasm"
}

main
