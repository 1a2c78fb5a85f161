//! Watching the process that started us.

use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::{Pid, getppid};
use tokio::sync::watch;

const EVERY: Duration = Duration::from_secs(1);

/// Returns when the process that a client named is gone. One that cannot be seen from the start, as it is when we run
/// in a container, is not watched.
pub async fn gone(mut named: watch::Receiver<Option<i64>>) {
    let pid = match named.wait_for(Option::is_some).await.map(|pid| *pid) {
        Ok(Some(pid)) => i32::try_from(pid).ok().filter(|pid| *pid > 0 && is_alive(*pid)),
        _ => None,
    };
    let Some(pid) = pid else { return std::future::pending().await };
    while is_alive(pid) {
        tokio::time::sleep(EVERY).await;
    }
}

/// Returns when the process that started this one is gone. One that cannot be seen, as it is in a container, or that is
/// gone already, is not watched.
pub async fn orphaned() {
    let parent = getppid();
    if parent.as_raw() <= 1 {
        return std::future::pending().await;
    }
    while getppid() == parent {
        tokio::time::sleep(EVERY).await;
    }
}

/// A process that is not ours to signal is alive all the same.
fn is_alive(pid: i32) -> bool {
    !matches!(kill(Pid::from_raw(pid), None), Err(Errno::ESRCH))
}
