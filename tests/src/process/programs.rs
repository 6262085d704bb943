//! The two programs, built as people get them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::Broken;

/// How they are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// As tests are.
    Dev,
    /// As people run them.
    Release,
}

/// Beginnings of the variables that cargo sets for a program that it runs.
const TOLD: [&str; 4] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "OUT_DIR"];

/// Where the programs are.
#[derive(Debug, Clone)]
pub struct Programs {
    /// `beresta-relay`.
    pub relay: PathBuf,
    /// `beresta`.
    pub client: PathBuf,
}

impl Programs {
    /// Builds both, each by itself: built together, Cargo unifies their features and links the relay with SQLCipher.
    /// Another build that goes on is waited for.
    ///
    /// # Errors
    /// [`Broken`] if one does not build.
    pub fn build(profile: Profile) -> Result<Self, Broken> {
        Ok(Self {
            relay: built("beresta-server", "beresta-relay", profile)?,
            client: built("beresta-client", "beresta", profile)?,
        })
    }

    /// The programs for tests, built once a process.
    ///
    /// # Errors
    /// [`Broken`] if one does not build.
    pub fn for_tests() -> Result<Self, Broken> {
        static BUILT: OnceLock<Result<Programs, String>> = OnceLock::new();
        BUILT.get_or_init(|| Self::build(Profile::Dev).map_err(|broken| broken.0)).clone().map_err(Broken)
    }

    /// The folder that both are in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.client.parent().unwrap_or(Path::new("."))
    }
}

fn built(package: &str, program: &str, profile: Profile) -> Result<PathBuf, Broken> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // What cargo tells a program that it runs would make it build anew what it has: build scripts ask for some of it.
    for (name, _) in std::env::vars_os() {
        let told = name.to_str().is_some_and(|name| TOLD.iter().any(|told| name.starts_with(told)));
        if told {
            cargo.env_remove(name);
        }
    }
    // In the checkout, whose .cargo/config.toml is about its builds.
    cargo.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    cargo.args(["build", "--quiet", "--message-format", "json-render-diagnostics", "-p", package]);
    if profile == Profile::Release {
        cargo.arg("--release");
    }
    let done = cargo.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    // Cargo says where it put the program: the target folder may be anywhere.
    let told = String::from_utf8_lossy(&done.stdout);
    let paths = told.lines().filter_map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        Some(PathBuf::from(line.get("executable")?.as_str()?))
    });
    match paths.into_iter().find(|path| path.file_name().is_some_and(|name| name == program)) {
        Some(path) if done.status.success() => Ok(path),
        _ => Err(Broken(format!("{package} does not build"))),
    }
}
