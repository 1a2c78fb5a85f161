//! The transport on this process's own standard input and output.
//!
//! Pipes and sockets are read without a thread in between; a thread for each read would cost more than most
//! requests do, and one that waits for input cannot be stopped. Files and terminals have no other way.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream as StdUnixStream;

use futures_util::FutureExt;
use futures_util::future::pending;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use tokio::io::{AsyncRead, AsyncWrite, Interest};
use tokio::net::UnixStream;
use tokio::net::unix::pipe;

use super::{FrameLimits, Gone, Transport, byte_stream, never};

type Reader = Box<dyn AsyncRead + Send + Unpin>;
type Writer = Box<dyn AsyncWrite + Send + Unpin>;

/// Puts the descriptors back into blocking mode when dropped: whoever shares them, a shell above us, expects that.
pub struct Restore(Vec<OwnedFd>);

pub fn stdio(limits: FrameLimits) -> io::Result<(Transport, Restore)> {
    let mut restore = Restore(Vec::new());
    let reader = stdin(&mut restore)?;
    let (writer, gone) = stdout(&mut restore)?;
    Ok((byte_stream(reader, writer, gone, limits), restore))
}

enum Kind {
    Pipe,
    Socket,
    Other,
}

fn stdin(restore: &mut Restore) -> io::Result<Reader> {
    let stdin = io::stdin();
    Ok(match kind(stdin.as_fd().try_clone_to_owned()?)? {
        Kind::Pipe => Box::new(pipe::Receiver::from_file(File::from(restore.take(&stdin)?))?),
        Kind::Socket => Box::new(socket(restore.take(&stdin)?)?),
        Kind::Other => Box::new(tokio::io::stdin()),
    })
}

fn stdout(restore: &mut Restore) -> io::Result<(Writer, Gone)> {
    let stdout = io::stdout();
    Ok(match kind(stdout.as_fd().try_clone_to_owned()?)? {
        Kind::Pipe => {
            // Each of the two that use a descriptor has one of its own.
            let watched = pipe::Sender::from_file(File::from(stdout.as_fd().try_clone_to_owned()?))?;
            (Box::new(pipe::Sender::from_file(File::from(restore.take(&stdout)?))?), unread_pipe(watched).boxed())
        }
        // Its end is also the end of input, where one socket serves for both.
        Kind::Socket => (Box::new(socket(restore.take(&stdout)?)?), never()),
        Kind::Other => (Box::new(tokio::io::stdout()), never()),
    })
}

async fn unread_pipe(pipe: pipe::Sender) {
    if pipe.ready(Interest::ERROR).await.is_err() {
        pending::<()>().await;
    }
}

fn kind(fd: OwnedFd) -> io::Result<Kind> {
    let kind = File::from(fd).metadata()?.file_type();
    Ok(match () {
        () if kind.is_fifo() => Kind::Pipe,
        () if kind.is_socket() => Kind::Socket,
        () => Kind::Other,
    })
}

fn socket(fd: OwnedFd) -> io::Result<UnixStream> {
    let socket = StdUnixStream::from(fd);
    socket.set_nonblocking(true)?;
    UnixStream::from_std(socket)
}

impl Restore {
    fn take(&mut self, stream: &impl AsFd) -> io::Result<OwnedFd> {
        let fd = stream.as_fd().try_clone_to_owned()?;
        self.0.push(fd.try_clone()?);
        Ok(fd)
    }
}

impl Drop for Restore {
    fn drop(&mut self) {
        for fd in &self.0 {
            if let Ok(flags) = fcntl(fd, FcntlArg::F_GETFL) {
                let flags = OFlag::from_bits_retain(flags) & !OFlag::O_NONBLOCK;
                // Nothing is left to do about a descriptor that will not have it.
                let _ = fcntl(fd, FcntlArg::F_SETFL(flags));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use std::fs::File;
    use std::os::fd::OwnedFd;
    use tokio::net::unix::pipe;

    use super::unread_pipe;

    #[tokio::test]
    async fn a_pipe_that_nobody_reads_any_more_is_known_without_a_write() {
        let (reader, writer) = std::io::pipe().unwrap();
        let watched = pipe::Sender::from_file(File::from(OwnedFd::from(writer))).unwrap();
        let mut gone = Box::pin(unread_pipe(watched));
        tokio::task::yield_now().await;
        assert!(gone.as_mut().now_or_never().is_none());
        drop(reader);
        gone.await;
    }
}
