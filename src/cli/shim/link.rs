//! A shim's connection to a daemon that it can work with: the one that is there, one that it starts, or one that takes
//! the place of an older one.

use std::time::Duration;

use anyhow::bail;
use serde_json::value::{RawValue, to_raw_value};
use tokio::net::UnixStream;
use tokio::time::{sleep, timeout};

use super::glance::Glance;
use crate::cli::running;
use crate::daemon::{Address, Fit, Launch, Program, Record, StartError, connect, connect_or_start};
use crate::protocol::{HelloResult, Method, StopParams, StopWhen, names};
use crate::transport::{FrameLimits, Inbound, Sink, Source, Written, unix_client};

/// What the daemon sends is as long as it is.
const FRAMES: FrameLimits = FrameLimits { frame_bytes: 1 << 30, header_bytes: 8 * 1024 };

/// How long a daemon may take to say who it is, or to make way.
const PATIENCE: Duration = Duration::from_secs(10);

/// A daemon that is about to end may still have taken the connection; so often another one is looked for.
const ATTEMPTS: u32 = 5;

pub struct Link {
    pub source: Box<dyn Source>,
    pub sink: Box<dyn Sink>,
    pub hello: HelloResult,
}

/// Where a daemon is, or how one comes to be there.
pub struct Opener {
    pub address: Address,
    pub launch: Launch,
}

/// How often it is looked whether a daemon has come up that somebody else needed.
const LOOK: Duration = Duration::from_secs(1);

/// What a daemon that was connected to turned out to be.
enum Found {
    Link(Link),
    /// It is gone by now.
    Gone,
}

impl Opener {
    pub async fn open(&self) -> anyhow::Result<Link> {
        for _ in 0..ATTEMPTS {
            let stream = connect_or_start(&self.address, &self.launch).await?;
            match timeout(PATIENCE, Link::of(stream)).await {
                Ok(found) => match found? {
                    Found::Link(link) => return Ok(link),
                    Found::Gone => {}
                },
                // Nobody serves: systemd, which listens there, waits until the one before has ended.
                Err(_) if Record::read(&self.address).is_none() => {}
                Err(_) => break,
            }
        }
        Err(StartError::TimedOut.into())
    }

    /// Waits until there is one. What is wrong with those that there are is told when one is needed.
    pub async fn there(&self) -> Link {
        loop {
            // Where systemd listens, to connect is to start one; the record tells of one that is there.
            if Record::read(&self.address).is_some()
                && let Ok(Some(stream)) = connect(&self.address).await
                && let Ok(Ok(Found::Link(link))) = timeout(PATIENCE, Link::of(stream)).await
            {
                return link;
            }
            sleep(LOOK).await;
        }
    }
}

impl Link {
    async fn of(stream: UnixStream) -> anyhow::Result<Found> {
        let (mut source, mut sink) = unix_client(stream, FRAMES);
        let Some(hello) = ask::<names::DaemonHello>(&mut source, &mut sink, &running::hello()).await? else {
            return Ok(Found::Gone);
        };
        let link = Self { source, sink, hello };
        match Program::this().fit(&link.hello) {
            Fit::Use => Ok(Found::Link(link)),
            Fit::Refuse(why) => bail!(StartError::Incompatible(why)),
            Fit::Replace => link.replace().await,
        }
    }

    async fn replace(mut self) -> anyhow::Result<Found> {
        let params = StopParams { when: StopWhen::Idle };
        let Some(stop) = ask::<names::DaemonStop>(&mut self.source, &mut self.sink, &params).await? else {
            return Ok(Found::Gone);
        };
        if stop.stopping {
            return Ok(Found::Gone);
        }
        // Somebody has come to use it meanwhile.
        self.hello.idle = false;
        match Program::this().fit(&self.hello) {
            Fit::Refuse(why) => bail!(StartError::Incompatible(why)),
            Fit::Use | Fit::Replace => Ok(Found::Link(self)),
        }
    }
}

/// None if the daemon hangs up instead.
async fn ask<M: Method>(
    source: &mut Box<dyn Source>,
    sink: &mut Box<dyn Sink>,
    params: &M::Params,
) -> anyhow::Result<Option<M::Result>> {
    let params = to_raw_value(params)?;
    sink.queue(&[format!(r#"{{"jsonrpc":"2.0","id":0,"method":"{}","params":{params}}}"#, M::NAME)]);
    loop {
        match sink.write().await {
            Ok(Written::All) => break,
            Ok(Written::Some) => {}
            Err(_) => return Ok(None),
        }
    }
    loop {
        let Ok(Some(inbound)) = source.next().await else { return Ok(None) };
        let Inbound::Frame(text) = inbound else { bail!(StartError::Incompatible(STRANGE.to_owned())) };
        let Some(seen) = Glance::at(&text).filter(|seen| seen.method.is_none()) else { continue };
        let result = serde_json::from_str(seen.result.unwrap_or(RawValue::NULL).get());
        return Ok(Some(result.map_err(|_| StartError::Incompatible(STRANGE.to_owned()))?));
    }
}

const STRANGE: &str = "what listens there does not answer as a daemon does: open-think stop ends it, if it is one";

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tokio::net::UnixListener;
    use tokio::task::JoinHandle;
    use tokio::time::{Instant, sleep};

    use super::*;
    use crate::transport::unix;

    const WAIT: Duration = Duration::from_secs(25);

    fn opener(directory: &Path) -> Opener {
        let launch = Launch { program: "/nowhere".into(), args: Vec::new() };
        Opener { address: Address::at(&directory.join("a.sock")).expect("short"), launch }
    }

    /// Somebody listens at once, and answers after a while: as systemd does for a daemon that has still to start.
    fn serve_late(address: &Address) -> JoinHandle<()> {
        let listener = UnixListener::bind(address.socket()).expect("a socket");
        let Program { version, build, protocol } = Program::this();
        let hello = serde_json::json!({
            "version": version, "build": build, "protocolVersion": protocol, "pid": 7, "startedAt": 1, "idle": false,
            "frameBytes": 1024, "headerBytes": 1024,
        });
        tokio::spawn(async move {
            sleep(WAIT).await;
            while let Ok((stream, _)) = listener.accept().await {
                let (mut source, mut sink) = unix(stream, FRAMES);
                if let Ok(Some(_)) = source.next().await {
                    sink.queue(&[format!(r#"{{"jsonrpc":"2.0","id":0,"result":{hello}}}"#)]);
                    // Those who have given up are gone.
                    while matches!(sink.write().await, Ok(Written::Some)) {}
                }
            }
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_socket_at_which_nobody_serves_yet_is_waited_for() {
        let directory = tempfile::tempdir().expect("a directory");
        let opener = opener(directory.path());
        let daemon = serve_late(&opener.address);
        let begun = Instant::now();
        assert_eq!(opener.open().await.expect("it comes").hello.pid, 7);
        assert!(begun.elapsed() >= WAIT);
        daemon.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_serves_and_does_not_answer_is_not() {
        let directory = tempfile::tempdir().expect("a directory");
        let opener = opener(directory.path());
        let daemon = serve_late(&opener.address);
        let record = serde_json::json!({
            "pid": 7, "version": "1", "protocolVersion": "1", "build": "1.1", "startedAt": 1, "socket": "/s",
            "stateDir": "/s", "configFile": "/c", "logFile": "/l", "http": null,
        });
        std::fs::write(opener.address.record(), record.to_string()).expect("a record");
        let said = opener.open().await.err().expect("it is given up").to_string();
        assert!(said.contains("was not ready"), "{said}");
        daemon.abort();
    }
}
