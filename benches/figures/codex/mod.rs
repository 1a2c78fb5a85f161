//! The real app-server of the Codex CLI through the daemon, beside a connection of one's own to it.

mod first_delta;
mod recovery;
mod round_trip;

use std::path::Path;

use tempfile::TempDir;

use crate::Effort;
use crate::client::Daemon;
use crate::harness::app_server::{AppServer, CodexHome, KEY_NAME};
use crate::harness::program::codex;
use crate::table::Table;

pub fn measure(effort: Effort, table: &mut Table) {
    let Some(program) = codex() else { return };
    round_trip::measure(program, effort, table);
    first_delta::measure(program, effort, table);
    recovery::measure(program, effort, table);
}

/// A daemon that goes to this app-server and nowhere else.
fn daemon_of(home: &TempDir, server: &AppServer) -> Daemon {
    Daemon::start_with(home.path(), [("CODEX_APP_SERVER_URL", server.url())])
}

/// A daemon that starts its own.
fn spawning_daemon(home: &TempDir, program: &Path, codex_home: &CodexHome) -> Daemon {
    let directory = home.path().join("config/open-think");
    std::fs::create_dir_all(&directory).expect("a directory");
    let work = codex_home.work();
    let config = format!("[codex]\nspawn = true\nenv = [\"{KEY_NAME}\"]\ncwd = \"{}\"\n", work.display());
    std::fs::write(directory.join("config.toml"), config).expect("a configuration");
    let settings = [
        ("CODEX_BIN", program.display().to_string()),
        ("CODEX_HOME", codex_home.path().display().to_string()),
        (KEY_NAME, "sk-mock".to_owned()),
    ];
    Daemon::start_with(home.path(), settings)
}
