//! Lays the functions that every run uses side by side in the program, where the linker can do that.
//!
//! A run uses an eighth of the program's functions, spread over all of it, and the system maps sixteen pages around each that
//! is touched. Side by side they take 3.4 MB less memory, of 11.9 for 900 small tasks, and a tenth of a start's page traps
//! less. Which functions: see `layout.py` beside this file. A name in the list that is no more, or new and not in it, costs
//! only that.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

const LIST: &str = "benches/layout/functions.txt";

fn main() {
    println!("cargo::rerun-if-changed=benches/layout/build.rs");
    println!("cargo::rerun-if-changed={LIST}");
    // Programs for debugging are not worth it, other systems' linkers read no such script.
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    if is("OPT_LEVEL", "0") || !is("CARGO_CFG_TARGET_OS", "linux") {
        return;
    }
    let Some(out) = env::var_os("OUT_DIR").map(PathBuf::from) else { return };
    let Ok(list) = std::fs::read_to_string(LIST) else { return };
    let script = out.join("layout.ld");
    if std::fs::write(&script, script_of(&list)).is_ok() && can_link(&out, &script) {
        println!("cargo::rustc-link-arg-bins=-Wl,-T,{}", script.display());
    }
}

/// In the linker's language: a section of their own before all others, in this order.
fn script_of(list: &str) -> String {
    let functions = list.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let sections: String =
        functions.map(|name| format!("    *(.text.{name} .text.unlikely.{name})\n")).collect();
    format!("SECTIONS\n{{\n  .text.used :\n  {{\n{sections}  }}\n}}\nINSERT BEFORE .text;\n")
}

/// Whether the linker in use knows that language: GNU ld and lld do, others end with an error that would end the build.
fn can_link(out: &Path, script: &Path) -> bool {
    let source = out.join("probe.rs");
    if std::fs::write(&source, "fn main() {}\n").is_err() {
        return false;
    }
    let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let (Some(rustc), Some(target)) = (variable("RUSTC"), variable("TARGET")) else { return false };
    let mut probe = Command::new(rustc);
    probe
        .args(["--crate-type=bin", "--edition=2024", "--target", &target, "-o"])
        .arg(out.join("probe"))
        .arg(source);
    if let Some(linker) = variable("RUSTC_LINKER") {
        probe.arg("-C").arg(format!("linker={linker}"));
    }
    if let Some(flags) = variable("CARGO_ENCODED_RUSTFLAGS") {
        probe.args(flags.split('\x1f'));
    }
    probe.arg("-C").arg(format!("link-arg=-Wl,-T,{}", script.display()));
    probe.output().is_ok_and(|probed| probed.status.success())
}
