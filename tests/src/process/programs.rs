//! The two programs, as `cargo build` makes them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::Broken;

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
    /// Not optimised: an optimised build takes more minutes than all that is done with them. Another build that goes on is waited for.
    ///
    /// # Errors
    /// [`Broken`] if one does not build.
    pub fn build() -> Result<Self, Broken> {
        Ok(Self {
            relay: built("beresta-server", "beresta-relay")?,
            client: built("beresta-client", "beresta")?,
        })
    }

    /// The same, asked of cargo once a process; with the relay that `BERESTA_TEST_RELAY` names, an optimised one say.
    ///
    /// # Errors
    /// [`Broken`] if one does not build.
    pub fn for_tests() -> Result<Self, Broken> {
        static BUILT: OnceLock<Result<Programs, String>> = OnceLock::new();
        let relay = std::env::var_os("BERESTA_TEST_RELAY").map(PathBuf::from);
        let build = || {
            let built = Self::build().map_err(|broken| broken.0)?;
            Ok(Self { relay: relay.unwrap_or(built.relay), ..built })
        };
        BUILT.get_or_init(build).clone().map_err(Broken)
    }

    /// The folder that both are in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.client.parent().unwrap_or(Path::new("."))
    }
}

fn built(package: &str, program: &str) -> Result<PathBuf, Broken> {
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
