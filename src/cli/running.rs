//! The daemon that runs already, for a command that would ask it what it would else do itself.
//!
//! Its settings are those of whoever started it. A command that was given others works in its own process, as it does
//! where no daemon runs.

use crate::cli::client::{Client, Inbound};
use crate::cli::terminal::Terminal;
use crate::config::{Environment, Overrides, Secret, Sources};
use crate::daemon::{Address, Program, Record, connect};
use crate::protocol::{HelloParams, names};

/// What of a command line decides which daemon it may ask.
pub struct Given {
    address: Address,
    settings: Vec<(&'static str, Secret)>,
}

impl Given {
    /// None where no daemon can be: the address is not to be trusted, which only matters to those who start one.
    pub fn of(sources: &Sources) -> Option<Self> {
        Some(Self { address: Address::of(sources).ok()?, settings: sources.given().collect() })
    }

    /// A connection to it, if it runs and answers as this process would.
    pub async fn daemon(&self, approvals: bool, terminal: &Terminal) -> Option<(Client, Inbound)> {
        let stream = connect(&self.address).await.ok()??;
        if let Some(note) = self.other_settings() {
            if terminal.error.is_terminal {
                terminal.note(&format!("open-think: {note}"));
            }
            return None;
        }
        let (client, inbound) = Client::dial(stream).await.ok()?;
        let program = Program::this();
        let hello = client.call::<names::DaemonHello>(&hello()).await.ok()?;
        if !program.understands(&hello) {
            return None;
        }
        client.introduce(approvals).await.ok()?;
        Some((client, inbound))
    }

    fn other_settings(&self) -> Option<String> {
        other_settings(&self.address, self.settings.iter().map(|(name, value)| (*name, value.clone())))
    }
}

/// What to say where the daemon was given other settings than these.
pub fn other_settings<'a>(address: &Address, settings: impl Iterator<Item = (&'a str, Secret)>) -> Option<String> {
    let settings: Vec<_> = settings.collect();
    let sealed = Record::read(address).map(|record| record.settings).unwrap_or_default();
    let names = sealed.differing(settings);
    let names = (!names.is_empty()).then(|| names.join(", "))?;
    Some(format!("the running daemon has other settings ({names}); open-think restart gives it these"))
}

pub fn hello() -> HelloParams {
    let program = Program::this();
    let environment = Environment::new(Sources::from_process(Overrides::default()).env);
    HelloParams {
        version: program.version.to_owned(),
        build: program.build.to_owned(),
        protocol_version: program.protocol.to_owned(),
        pid: Some(std::process::id().into()),
        cwd: std::env::current_dir().ok().and_then(|path| path.to_str().map(str::to_owned)),
        env: Some(environment.for_daemon().into_iter().collect()),
    }
}
