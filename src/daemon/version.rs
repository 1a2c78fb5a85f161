//! Which of two programs is the newer one, and whether they understand each other.

use std::os::unix::fs::MetadataExt;
use std::sync::OnceLock;

use crate::protocol::{HelloResult, VERSION};

/// This program, as it says who it is.
pub const OURS: &str = env!("CARGO_PKG_VERSION");

/// When the program's file was written, in Unix seconds, and its length: two builds of one version differ in it.
pub fn build() -> &'static str {
    static BUILD: OnceLock<String> = OnceLock::new();
    BUILD.get_or_init(|| {
        let file = std::env::current_exe().and_then(std::fs::metadata);
        file.map_or_else(|_| "0.0".to_owned(), |file| format!("{}.{}", file.mtime(), file.len()))
    })
}

/// A program and the protocol that it speaks.
#[derive(Clone, Debug)]
pub struct Program<'a> {
    pub version: &'a str,
    pub build: &'a str,
    pub protocol: &'a str,
}

/// What a client does about a daemon that it has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fit {
    Use,
    /// It is older and does nothing: let it make way.
    Replace,
    /// They do not understand each other, and it is at work or newer.
    Refuse(String),
}

impl Program<'_> {
    pub fn this() -> Program<'static> {
        Program { version: OURS, build: build(), protocol: VERSION }
    }

    pub fn fit(&self, daemon: &HelloResult) -> Fit {
        if self.is_newer_than(daemon) && daemon.idle {
            return Fit::Replace;
        }
        self.refusal(daemon).map_or(Fit::Use, Fit::Refuse)
    }

    /// Why they do not understand each other, if they do not.
    pub fn refusal(&self, daemon: &HelloResult) -> Option<String> {
        if major(self.protocol) == major(&daemon.protocol_version) {
            return None;
        }
        let (theirs, pid) = (&daemon.protocol_version, daemon.pid);
        let way = if self.is_newer_than(daemon) {
            "wait until it is done, or end it with open-think stop"
        } else {
            "update this program, or end the daemon with open-think stop"
        };
        Some(format!(
            "the running daemon (process {pid}, version {}) speaks protocol {theirs}, this program {}: {way}",
            daemon.version, self.protocol
        ))
    }

    fn is_newer_than(&self, daemon: &HelloResult) -> bool {
        self.rank() > Program::of(daemon).rank()
    }

    fn rank(&self) -> ([u64; 3], u64) {
        let mut numbers = [0; 3];
        let parts = self.version.split(['.', '-', '+']).map_while(|part| part.parse().ok());
        numbers.iter_mut().zip(parts).for_each(|(number, part)| *number = part);
        let built = self.build.split('.').next().and_then(|seconds| seconds.parse().ok());
        (numbers, built.unwrap_or_default())
    }
}

impl<'a> Program<'a> {
    fn of(daemon: &'a HelloResult) -> Self {
        Self { version: &daemon.version, build: &daemon.build, protocol: &daemon.protocol_version }
    }
}

fn major(protocol: &str) -> &str {
    protocol.split('.').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check((version, build, protocol): (&str, &str, &str), idle: bool, expected: &Fit) {
        let daemon = HelloResult {
            version: version.to_owned(),
            build: build.to_owned(),
            protocol_version: protocol.to_owned(),
            pid: 7,
            started_at: 0,
            idle,
            frame_bytes: 0,
            header_bytes: 0,
        };
        let ours = Program { version: "1.2.0", build: "1000.5", protocol: "1.3" };
        let fit = ours.fit(&daemon);
        match (&fit, expected) {
            (Fit::Refuse(said), Fit::Refuse(part)) => assert!(said.contains(part.as_str()), "{said}"),
            _ => assert_eq!(&fit, expected),
        }
    }

    #[test]
    fn an_older_daemon_makes_way_if_it_has_nothing_to_do() {
        check(("1.2.0", "1000.5", "1.3"), true, &Fit::Use);
        check(("1.2.0", "999.7", "1.3"), true, &Fit::Replace);
        check(("1.1.9", "2000.5", "1.0"), true, &Fit::Replace);
        check(("1.1.9", "2000.5", "1.0"), false, &Fit::Use);
        check(("0.9.0", "1.1", "0.9"), true, &Fit::Replace);
        check(("0.9.0", "1.1", "0.9"), false, &Fit::Refuse("wait until it is done".to_owned()));
    }

    #[test]
    fn a_newer_daemon_is_used_if_it_is_understood() {
        check(("1.10.0", "1.1", "1.9"), true, &Fit::Use);
        check(("1.2.0", "1001.5", "1.3"), true, &Fit::Use);
        check(("2.0.0", "1.1", "2.0"), true, &Fit::Refuse("update this program".to_owned()));
    }
}
