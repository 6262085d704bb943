//! Nothing to build: the package `protoc-bin-vendored` is a build dependency only so that cargo puts it into the
//! registry's sources, where `tools/protoc` finds the compiler that libsignal's build script wants.
fn main() {
    println!("cargo::rerun-if-changed=build.rs");
}
