//! The daemon that runs already, for a command that would ask it what it would else do itself.
//!
//! Its settings are those of whoever started it. A command that was given others works in its own process, as it does
//! where no daemon runs; one that asks after the daemon itself is answered by the one that runs, whatever its settings.

use std::time::Duration;

use tokio::time::timeout;

use crate::cli::client::{CallError, Client, Inbound};
use crate::cli::terminal::Terminal;
use crate::config::{Environment, Overrides, Secret, Sources};
use crate::daemon::{Address, Program, Record, StartError, connect};
use crate::protocol::{HelloParams, HelloResult, names};

/// How long a daemon may take to say who it is, or to take a client in.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// So many times as long for one that systemd has still to start.
const STARTING: u32 = 10;

/// What is said of one that is none.
pub const STRANGE: &str = "what listens there does not answer as a daemon does: open-think stop ends it, if it is one";

/// What a command is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The daemon that runs.
    Daemon,
    /// What any daemon with the same settings does.
    Work,
}

/// What of a command line decides which daemon it may ask.
pub struct Given {
    address: Address,
    settings: Vec<(&'static str, Secret)>,
}

impl Given {
    /// None where no daemon can be.
    pub fn of(sources: &Sources) -> Option<Self> {
        Some(Self { address: Address::of(sources).ok()?, settings: sources.given().collect() })
    }

    /// A connection to it, if it runs and is the one to ask.
    pub async fn daemon(
        &self,
        subject: Subject,
        approvals: bool,
        terminal: &Terminal,
    ) -> anyhow::Result<Option<(Client, Inbound)>> {
        let Some(stream) = connect(&self.address).await? else { return Ok(None) };
        if let Some(note) = self.other_settings() {
            if subject == Subject::Daemon || terminal.error.is_terminal {
                terminal.note(&format!("open-think: {note}"));
            }
            if subject == Subject::Work {
                return Ok(None);
            }
        }
        let (client, inbound) = Client::dial(stream).await?;
        let Some(hello) = hello_of(&client, &self.address).await? else { return Ok(None) };
        if let Some(why) = Program::this().refusal(&hello) {
            return Err(StartError::Incompatible(why).into());
        }
        let introduced = timeout(PATIENCE, client.introduce(approvals)).await;
        introduced.map_err(|_| StartError::silent(&self.address))??;
        Ok(Some((client, inbound)))
    }

    fn other_settings(&self) -> Option<String> {
        other_settings(&self.address, self.settings.iter().map(|(name, value)| (*name, value.clone())))
    }
}

/// Who serves the address that this is connected to; none if it is about to end.
pub async fn hello_of(client: &Client, address: &Address) -> Result<Option<HelloResult>, StartError> {
    let hello = hello();
    let answer = client.call::<names::DaemonHello>(&hello);
    tokio::pin!(answer);
    for _ in 0..STARTING {
        let has_started = Record::read(address).is_some();
        match timeout(PATIENCE, &mut answer).await {
            Ok(Ok(hello)) => return Ok(Some(hello)),
            Ok(Err(CallError::Gone)) => return Ok(None),
            Ok(Err(_)) => return Err(StartError::Incompatible(STRANGE.to_owned())),
            Err(_) if has_started => break,
            Err(_) => {}
        }
    }
    Err(StartError::silent(address))
}

/// What to say where the daemon was given other settings than these.
pub fn other_settings<'a>(address: &Address, settings: impl Iterator<Item = (&'a str, Secret)>) -> Option<String> {
    let settings: Vec<_> = settings.collect();
    let sealed = Record::read(address).map(|record| record.settings).unwrap_or_default();
    let names = sealed.differing(settings);
    let names = (!names.is_empty()).then(|| names.join(", "))?;
    Some(format!("the running daemon has other settings ({names}); open-think restart gives it these"))
}

/// What this process is, and where programs work that are started for it.
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
