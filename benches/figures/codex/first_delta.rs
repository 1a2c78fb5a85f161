//! How long until the model's first word is there: a thread that is kept warm, beside one of a connection of one's own
//! and a process for each call.

use std::path::Path;
use std::time::{Duration, Instant};

use memchr::memmem;
use serde_json::{Value, json};

use crate::Effort;
use crate::client::{Daemon, Frame, home};
use crate::harness::app_server::{AppServer, CodexHome, Listen, Wire};
use crate::harness::connection::Connection;
use crate::harness::upstream::Upstream;
use crate::sample::Sample;
use crate::table::{Aim, Table, Unit};

const WORDS: &str = "Tell me a story.";
const DELTA: &[u8] = b"\"kind\":\"text-delta\"";
/// What the way to the model adds, in milliseconds.
const DELAYS: [u64; 3] = [0, 40, 120];
/// A part of the direct call.
const AIM: f64 = 0.05;

pub fn measure(program: &Path, effort: Effort, table: &mut Table) {
    let upstream = Upstream::start();
    let server = AppServer::start_in(CodexHome::with(&upstream, Wire::Socket), program, Listen::port());
    let home = home();
    let (mut connection, mut daemon) = (server.connect(), super::daemon_of(&home, &server));
    // Codex looks at the directory before each turn, so that all work in one. Whoever wants the skills pays for them on
    // any way.
    let cwd = std::env::current_dir().expect("a directory");
    let bare = connection.start_thread(json!({"cwd": cwd}));
    let skilled = connection.start_thread(json!({"cwd": cwd, "dynamicTools": skills(&mut daemon)}));
    let mut beside = AppServer::start_in(CodexHome::with(&upstream, Wire::Socket), program, Listen::port());
    for delay in DELAYS {
        upstream.delay(Duration::from_millis(delay));
        let [mut without, mut direct, mut ours, mut cold, mut exec] = [(); 5].map(|()| Sample::default());
        for round in 0..effort.rounds(20) + 1 {
            for place in 0..3 {
                // Each is the first of a round as often as the others.
                let (sample, took) = match (round + place) % 3 {
                    0 => (&mut without, turn(&mut connection, &bare)),
                    1 => (&mut direct, turn(&mut connection, &skilled)),
                    _ => (&mut ours, our_turn(&mut daemon)),
                };
                // The first round starts our thread and connects.
                if round > 0 {
                    sample.add(took);
                }
            }
        }
        for _ in 0..effort.rounds(5) {
            cold.add(cold_turn(&mut beside));
            exec.add(exec_turn(program, &beside));
        }
        let what = format!("first delta of a warm thread, model {delay} ms away");
        table.samples(&format!("{what}, with the skills"), (&direct, &ours), Unit::Ms, Aim::Part(AIM));
        table.samples("  beside one without skills", (&without, &ours), Unit::Ms, Aim::None);
        for (what, sample) in [("an app-server a call", &cold), ("codex exec a call", &exec)] {
            let figures = (Unit::Ms.of(sample.median()), Unit::Ms.of(ours.median()));
            table.row(&format!("  beside {what}, median"), figures, Unit::Ms, Aim::None);
        }
    }
}

/// The daemon's, as its threads have them.
fn skills(daemon: &mut Daemon) -> Vec<Value> {
    let listed = daemon.value("skills.list", "{}");
    let skills = listed["skills"].as_array().expect("skills");
    let tool = |skill: &Value| {
        json!({
            "type": "function", "name": skill["id"], "description": skill["description"],
            "inputSchema": skill["inputSchema"],
        })
    };
    skills.iter().map(tool).collect()
}

fn turn(connection: &mut Connection, thread: &str) -> Duration {
    let start = Instant::now();
    connection.start_turn(thread, WORDS);
    connection.wait_for("item/agentMessage/delta");
    let took = start.elapsed();
    connection.wait_for("turn/completed");
    took
}

fn our_turn(daemon: &mut Daemon) -> Duration {
    let start = Instant::now();
    let params = format!(r#"{{"content":"{WORDS}","sessionName":"warm","mode":"auto","stream":true}}"#);
    let asked = daemon.send("conductor.message", &params);
    let mut took = None;
    loop {
        match daemon.next() {
            Frame::Answer { id } if id == asked => return took.expect("an answer in pieces"),
            Frame::Notification(frame) if took.is_none() && memmem::find(frame, DELTA).is_some() => {
                took = Some(start.elapsed());
            }
            _ => {}
        }
    }
}

/// Everything from the start of the process; its home has been used before.
fn cold_turn(server: &mut AppServer) -> Duration {
    server.kill();
    let start = Instant::now();
    server.revive();
    let mut connection = server.connect();
    let thread = connection.start_thread(json!({}));
    connection.start_turn(&thread, WORDS);
    connection.wait_for("item/agentMessage/delta");
    start.elapsed()
}

/// The whole of it, since it shows the answer at its end.
fn exec_turn(program: &Path, server: &AppServer) -> Duration {
    let start = Instant::now();
    let mut command = server.home.command(program);
    let status = command.args(["exec", "--skip-git-repo-check", WORDS]).status().expect("it starts");
    assert!(status.success(), "codex exec: {status}");
    start.elapsed()
}
