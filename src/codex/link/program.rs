//! The app-server that the daemon starts itself, as a plain value: which program, what it may see of the environment,
//! where its socket may be, and whether it is too old.

use std::env::split_paths;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::handshake::too_old;
use super::{Fault, FaultKind};
use crate::config::{Config, Environment, HOME, Names, PROXIES};

/// Where things are and how to get out; keys and tokens stay behind.
const PASSED: Names = Names {
    listed: &[
        HOME,
        PROXIES,
        &["CODEX_HOME", "CODEX_CA_CERTIFICATE", "SSL_CERT_FILE", "SSL_CERT_DIR", "RUST_LOG", "RUST_BACKTRACE"],
    ],
    prefixes: &["LC_", "XDG_"],
};

/// The address of a socket has 108 bytes on Linux and 104 on macOS, one of them for the end.
const LONGEST_SOCKET: usize = 103;
/// `/codex-` with a process id and four bytes in hexadecimal, then `/s`.
const DIRECTORY: usize = 32;

/// What it may take to say its version.
const VERSION_WAIT: Duration = Duration::from_secs(5);

#[derive(Clone)]
pub struct Program {
    bin: PathBuf,
    environment: Vec<(OsString, OsString)>,
    /// Directories in which one for the socket may be made, the best first.
    places: Vec<PathBuf>,
}

impl Program {
    pub(super) fn from_config(config: &Config) -> Self {
        let app_server = &config.codex.app_server;
        let mut environment = scrubbed(&config.environment, &app_server.env);
        let home = variable(&config.environment, "HOME").map(|home| Path::new(home).join(".codex"));
        // What it takes anyway need not exist.
        if let Some(codex_home) = config.codex.home.as_ref().filter(|path| home.as_ref() != Some(*path)) {
            environment.retain(|(name, _)| name != "CODEX_HOME");
            environment.push(("CODEX_HOME".into(), codex_home.into()));
        }
        // It colours what it logs otherwise, whoever reads it.
        environment.push(("NO_COLOR".into(), "1".into()));
        let runtime = variable(&config.environment, "XDG_RUNTIME_DIR").map(|path| Path::new(path).join("open-think"));
        let temporary = variable(&config.environment, "TMPDIR").map(PathBuf::from);
        let places = [runtime, Some(config.state_dir.clone()), temporary, Some(PathBuf::from("/tmp"))];
        let fits = |place: &PathBuf| place.is_absolute() && place.as_os_str().len() + DIRECTORY <= LONGEST_SOCKET;
        let bin = app_server.bin.clone().unwrap_or_else(|| PathBuf::from("codex"));
        Self { bin, environment, places: places.into_iter().flatten().filter(fits).collect() }
    }

    pub(super) fn environment(&self) -> &[(OsString, OsString)] {
        &self.environment
    }

    pub(super) fn places(&self) -> &[PathBuf] {
        &self.places
    }

    /// A name without a directory is looked for on the `PATH`.
    pub(super) fn locate(&self) -> Result<PathBuf, Fault> {
        let is_program = |path: &PathBuf| {
            fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
        };
        if self.bin.as_os_str().as_bytes().contains(&b'/') {
            return Some(self.bin.clone()).filter(is_program).ok_or_else(|| self.missing("there is no program at"));
        }
        let path = self.environment.iter().find(|(name, _)| name == "PATH").map(|(_, path)| path);
        let mut found = path.into_iter().flat_map(split_paths).map(|place| place.join(&self.bin));
        found.find(is_program).ok_or_else(|| self.missing("there is no program on the PATH with the name"))
    }

    /// Why it takes no orders of ours, if that is for its age: an old one may not even know how to say so.
    pub(super) async fn outdated(&self, bin: &Path) -> Option<Fault> {
        let mut command = Command::new(bin);
        command.arg("--version").env_clear().envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let output = timeout(VERSION_WAIT, command.output()).await.ok()?.ok()?;
        let said = String::from_utf8_lossy(&output.stdout);
        // As in `codex-cli 0.169.0`.
        let version = said.strip_prefix("codex-cli ")?.split_whitespace().next()?;
        too_old(&format!("the Codex CLI at {}", bin.display()), version)
    }

    fn missing(&self, what: &str) -> Fault {
        let message = format!("the Codex CLI is not installed: {what} {}", self.bin.display());
        Fault::new(FaultKind::NotInstalled, message)
            .with_hint("install it: npm install -g @openai/codex; or say where it is: CODEX_BIN")
    }
}

/// The values stay where they are.
impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.environment.iter().map(|(name, _)| name).collect();
        f.debug_struct("Program").field("bin", &self.bin).field("environment", &names).finish_non_exhaustive()
    }
}

pub(super) fn variable<'a>(environment: &'a Environment, wanted: &str) -> Option<&'a OsStr> {
    environment.iter().find(|(name, value)| *name == wanted && !value.is_empty()).map(|(_, value)| value)
}

fn scrubbed(all: &Environment, asked: &[String]) -> Vec<(OsString, OsString)> {
    all.only(|name| PASSED.hold(name) || asked.iter().any(|asked| asked == name))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use tempfile::TempDir;

    use super::Program;
    use crate::config::{Config, Environment};

    fn program(variables: &[(&str, &str)], set: impl FnOnce(&mut Config)) -> Program {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).into()));
        let mut config = Config { environment: Environment::new(variables.collect()), ..Config::default() };
        set(&mut config);
        Program::from_config(&config)
    }

    fn seen(program: &Program) -> Vec<String> {
        let pairs = program.environment().iter();
        pairs.map(|(name, value)| format!("{}={}", name.display(), value.display())).collect()
    }

    #[test]
    fn it_sees_where_things_are_and_no_secrets_but_those_named() {
        let variables = [
            ("PATH", "/bin"),
            ("HOME", "/home/u"),
            ("LC_ALL", "C"),
            ("XDG_CONFIG_HOME", "/c"),
            ("OPENAI_API_KEY", "sk-1"),
            ("CODEX_ACCESS_TOKEN", "t"),
            ("ANTHROPIC_API_KEY", "sk-2"),
            ("MY_KEY", "k"),
            ("LD_PRELOAD", "x.so"),
        ];
        let plain = program(&variables, |_| {});
        assert_eq!(seen(&plain), ["HOME=/home/u", "LC_ALL=C", "PATH=/bin", "XDG_CONFIG_HOME=/c", "NO_COLOR=1"]);
        let named = program(&variables, |config| config.codex.app_server.env = vec!["MY_KEY".to_owned()]);
        assert!(seen(&named).contains(&"MY_KEY=k".to_owned()));
        assert!(!format!("{named:?}").contains("\"k\""));
    }

    #[test]
    fn its_home_is_the_one_that_was_set() {
        let with = |home: &'static str| program(&[("HOME", "/h")], |config| config.codex.home = Some(home.into()));
        assert!(seen(&with("/elsewhere")).contains(&"CODEX_HOME=/elsewhere".to_owned()));
        assert!(!seen(&with("/h/.codex")).iter().any(|pair| pair.starts_with("CODEX_HOME")));
    }

    #[test]
    fn a_place_too_long_for_a_socket_is_passed_over() {
        let long = format!("/{}", "d".repeat(90));
        let places = |runtime: &str| {
            let program = program(&[("XDG_RUNTIME_DIR", runtime)], |config| config.state_dir = long.clone().into());
            program.places().to_vec()
        };
        assert_eq!(places("/run/user/1"), [Path::new("/run/user/1/open-think"), Path::new("/tmp")]);
        assert_eq!(places(&long), [Path::new("/tmp")]);
        assert_eq!(places("relative"), [Path::new("/tmp")]);
    }

    #[test]
    fn it_is_found_on_the_path_or_where_it_is_said_to_be() {
        let directory = TempDir::new().unwrap();
        let (plain, runs) = (directory.path().join("plain"), directory.path().join("runs"));
        for (place, mode) in [(&plain, 0o644), (&runs, 0o755)] {
            fs::create_dir(place).unwrap();
            fs::write(place.join("codex"), "").unwrap();
            fs::set_permissions(place.join("codex"), fs::Permissions::from_mode(mode)).unwrap();
        }
        let path = format!("{}:{}", plain.display(), runs.display());
        assert_eq!(program(&[("PATH", &path)], |_| {}).locate().unwrap(), runs.join("codex"));

        let missing = program(&[("PATH", &plain.display().to_string())], |_| {}).locate().unwrap_err();
        assert_eq!(missing.kind.as_str(), "not-installed");
        assert!(missing.hint.unwrap().contains("npm install -g @openai/codex"));
        let set = |bin: &Path| program(&[], |config| config.codex.app_server.bin = Some(bin.to_owned())).locate();
        assert_eq!(set(&runs.join("codex")).unwrap(), runs.join("codex"));
        assert!(set(&plain.join("codex")).is_err());
    }
}
