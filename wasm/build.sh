#!/usr/bin/env bash
# Compiles tourismo-wasm, generates its JavaScript and shrinks it, into pwa-shim/pkg/. Ends at once if nothing changed.
#
# The compiler is the first of these that is there, or that can be had:
#   1. the Rust in use, with the standard library for WebAssembly, which rustup adds;
#   2. Debian's rustc-web, which has the source of the standard library and compiles it along.
# TOURISMO_WASM_COMPILER=rustup or =debian chooses one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

triple=wasm32-unknown-unknown
# Of its own: otherwise the two compilers would rebuild each other's work.
target=target/wasm
package=pwa-shim/pkg
brotli_limit=400000

main() {
    local fingerprint
    fingerprint=$(fingerprint)
    if [[ -f $package/.fingerprint && $(<"$package/.fingerprint") == "$fingerprint" ]]; then
        echo "wasm: unchanged"
        return
    fi
    local compiler
    compiler=$(choose_compiler)
    echo "wasm: compiling with $("compile_by_$compiler" --version)"
    rm -rf "$package"
    "compile_by_$compiler" build --locked --profile wasm --target "$triple" --target-dir "$target" -p tourismo-wasm
    shrink
    node wasm/size.mjs "$package/tourismo_wasm_bg.wasm" "$brotli_limit"
    echo "$fingerprint" >"$package/.fingerprint"
}

# A hash of every file that the package is made from. The npm packages bring wasm-opt.
fingerprint() {
    find Cargo.toml Cargo.lock core wasm pwa-shim/package-lock.json -type f -print0 |
        sort -z | xargs -0 sha256sum | sha256sum | cut -d' ' -f1
}

choose_compiler() {
    if [[ -n ${TOURISMO_WASM_COMPILER:-} ]]; then
        echo "$TOURISMO_WASM_COMPILER"
    elif has_std || { ! has_debian_compiler && add_std_by_rustup; }; then
        echo rustup
    else
        echo debian
    fi
}

has_std() {
    compgen -G "$(rustc --print target-libdir --target "$triple" 2>/dev/null)/libstd-*.rlib" >/dev/null
}

# Quiet, and not for long: where nothing can be downloaded this must fail, and the other compiler serves as well.
add_std_by_rustup() {
    command -v rustup >/dev/null && timeout 120 rustup --quiet target add "$triple" >&2 2>/dev/null && has_std
}

has_debian_compiler() {
    [[ -x /usr/bin/cargo && -d /usr/lib/rustlib/src/rust/library ]] && command -v wasm-ld-22 >/dev/null
}

compile_by_rustup() {
    cargo "$@"
}

compile_by_debian() {
    has_debian_compiler || tests/setup.sh packages rustc-web cargo-web rust-web-src lld-22 >&2
    local build_std=()
    # -Z is for nightly compilers, unless the compiler is told that it bootstraps.
    [[ $1 == build ]] && build_std=(-Zbuild-std=std,panic_abort)
    PATH=/usr/bin:$PATH RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-ld-22 \
        /usr/bin/cargo "$@" "${build_std[@]}"
}

shrink() {
    cargo run --quiet --locked -p tourismo-bindgen -- "$target/$triple/wasm/tourismo_wasm.wasm" "$package"
    # The features that Rust's compiler uses by default for this target; every browser of the last years has them.
    local features=(bulk-memory multivalue mutable-globals nontrapping-float-to-int reference-types sign-ext)
    pwa-shim/node_modules/.bin/wasm-opt -O3 "${features[@]/#/--enable-}" --strip-producers --strip-target-features \
        "$package/tourismo_wasm_bg.wasm" -o "$package/tourismo_wasm_bg.wasm"
}

main
