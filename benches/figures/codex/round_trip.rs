//! `codex.rpc`: a call that the app-server answers at once.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use crate::Effort;
use crate::client::{Daemon, home};
use crate::harness::app_server::{AppServer, Listen};
use crate::harness::connection::Connection;
use crate::harness::upstream::Upstream;
use crate::sample::Sample;
use crate::table::{Aim, Table, Unit};

const METHOD: &str = "thread/loaded/list";

pub fn measure(program: &Path, effort: Effort, table: &mut Table) {
    let upstream = Upstream::start();
    let directory = TempDir::new().expect("a directory");
    for (name, listen) in [("websocket", Listen::port()), ("unix socket", Listen::socket(&directory))] {
        let server = AppServer::start(program, &upstream, listen);
        let home = home();
        let (mut connection, mut daemon) = (server.connect(), super::daemon_of(&home, &server));
        let (mut direct, mut ours) = (Sample::default(), Sample::default());
        for round in 0..effort.rounds(2000) + 20 {
            let times = (direct_call(&mut connection), our_call(&mut daemon));
            // The first ones connect.
            if round >= 20 {
                direct.add(times.0);
                ours.add(times.1);
            }
        }
        table.samples(&format!("codex.rpc over a {name}"), (&direct, &ours), Unit::Us, Aim::Added(100.0));
    }
}

fn direct_call(connection: &mut Connection) -> Duration {
    let start = Instant::now();
    connection.ask(METHOD, json!({})).expect("threads");
    start.elapsed()
}

fn our_call(daemon: &mut Daemon) -> Duration {
    daemon.ask("codex.rpc", &format!(r#"{{"method":"{METHOD}","params":{{}},"confirm":true}}"#))
}
