//! Sessions in one SQLite file.
//!
//! The connection lives on a thread of its own, which takes jobs from a bounded queue and answers each; the async
//! runtime never waits for the disk. A job that was queued is done even if its caller no longer waits. Several
//! processes may have the file open: readers never wait, writers wait for one another, for a while.
//! `open` makes the file, `write` and `read` say the SQL of sessions, `threads` that of the threads of engines, `usage` that
//! of the ledger, `fault` says what went wrong in a sentence.

mod fault;
mod open;
mod read;
mod threads;
mod usage;
mod write;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::{ActionRow, Context, MessageRow, SessionRow, Store, StoreError, ThreadKind, Threads, TurnRow, Write};
use crate::model::Thread;
use fault::Fault;

/// Callers beyond these wait for the disk to catch up.
const QUEUE: usize = 64;

type Job = Box<dyn FnOnce(Result<&mut Connection, Fault>) + Send>;

/// Dropping it closes the file once the queued jobs are done.
pub struct Sqlite {
    path: PathBuf,
    jobs: mpsc::Sender<Job>,
}

impl Sqlite {
    /// Makes the file and its directory if need be, private to the user. Blocks for a few milliseconds.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let connection = open::file(path).map_err(|fault| fault.at(path))?;
        Self::serve(Some(connection), path)
    }

    /// As [`Sqlite::open`], but a file that cannot be opened now is tried again with every job, so that what is mended
    /// outside is mended here. The error, if there is one, is that of the first try.
    pub fn open_or_retry(path: &Path) -> Result<(Self, Option<StoreError>), StoreError> {
        match open::file(path) {
            Ok(connection) => Ok((Self::serve(Some(connection), path)?, None)),
            Err(fault) => Ok((Self::serve(None, path)?, Some(fault.at(path)))),
        }
    }

    /// Kept nowhere, for tests and for those who want no history.
    pub fn in_memory() -> Result<Self, StoreError> {
        let path = Path::new(":memory:");
        let connection = open::memory().map_err(|fault| fault.at(path))?;
        Self::serve(Some(connection), path)
    }

    fn serve(mut connection: Option<Connection>, path: &Path) -> Result<Self, StoreError> {
        let (jobs, mut queue) = mpsc::channel::<Job>(QUEUE);
        let file = path.to_owned();
        let work = move || {
            while let Some(job) = queue.blocking_recv() {
                job(opened(&mut connection, &file));
            }
        };
        let thread = std::thread::Builder::new().name("sessions".to_owned());
        thread.spawn(work).map_err(|error| Fault::from(error).at(path))?;
        Ok(Self { path: path.to_owned(), jobs })
    }

    async fn run<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> Result<T, Fault> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            // The caller may have gone; what was asked for is done all the same.
            let _ = reply.send(connection.and_then(work));
        });
        self.jobs.send(job).await.map_err(|_| Fault::Stopped.at(&self.path))?;
        match answer.await {
            Ok(outcome) => outcome.map_err(|fault| fault.at(&self.path)),
            Err(_) => Err(Fault::Stopped.at(&self.path)),
        }
    }
}

fn opened<'a>(connection: &'a mut Option<Connection>, path: &Path) -> Result<&'a mut Connection, Fault> {
    match connection {
        Some(connection) => Ok(connection),
        None => Ok(connection.insert(open::file(path)?)),
    }
}

#[async_trait]
impl Store for Sqlite {
    async fn write(&self, writes: Vec<Write>) -> Result<Vec<u64>, StoreError> {
        self.run(move |connection| write::all(connection, &writes)).await
    }

    async fn write_and_read(&self, writes: Vec<Write>, session: &str, bytes: usize) -> Result<Context, StoreError> {
        let session = session.to_owned();
        self.run(move |connection| write::all_and_read(connection, &writes, &session, bytes)).await
    }

    async fn context(&self, session: &str, bytes: usize) -> Result<Context, StoreError> {
        let session = session.to_owned();
        self.run(move |connection| read::context(connection, &session, bytes)).await
    }

    async fn sessions(&self) -> Result<Vec<SessionRow>, StoreError> {
        self.run(|connection| read::sessions(connection)).await
    }

    async fn session(&self, name: &str) -> Result<Option<SessionRow>, StoreError> {
        let name = name.to_owned();
        self.run(move |connection| read::session(connection, &name)).await
    }

    async fn delete(&self, name: &str) -> Result<bool, StoreError> {
        let name = name.to_owned();
        self.run(move |connection| write::delete(connection, &name)).await
    }

    async fn messages(
        &self,
        session: &str,
        limit: Option<u32>,
        before: Option<u64>,
    ) -> Result<Vec<MessageRow>, StoreError> {
        let session = session.to_owned();
        self.run(move |connection| read::messages(connection, &session, limit, before)).await
    }

    async fn turn(&self, turn_id: &str) -> Result<Option<TurnRow>, StoreError> {
        let turn_id = turn_id.to_owned();
        self.run(move |connection| read::turn(connection, &turn_id)).await
    }

    async fn turns(&self, session: &str) -> Result<Vec<TurnRow>, StoreError> {
        let session = session.to_owned();
        self.run(move |connection| read::turns(connection, &session)).await
    }

    async fn held(&self, session: &str) -> Result<Vec<ActionRow>, StoreError> {
        let session = session.to_owned();
        self.run(move |connection| read::held(connection, &session)).await
    }

    async fn action(&self, id: &str) -> Result<Option<ActionRow>, StoreError> {
        let id = id.to_owned();
        self.run(move |connection| read::action(connection, &id)).await
    }

    async fn threads(&self, session: &str) -> Result<Threads, StoreError> {
        let session = session.to_owned();
        self.run(move |connection| threads::of(connection, &session)).await
    }

    async fn threads_used_last(&self, limit: u32) -> Result<Vec<(String, ThreadKind, Thread)>, StoreError> {
        self.run(move |connection| threads::used_last(connection, limit)).await
    }
}
