//! Daemons that tests start in the background: where they are, and that none of them is left.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use open_think::config::Sources;
use open_think::daemon::{Address, Record};

/// Of the daemon of a home that has this environment; never that of the user who runs the tests.
pub fn address(environment: impl IntoIterator<Item = (String, String)>) -> Address {
    let address = Address::of(&Sources::of_environment(environment)).expect("an address");
    let name = address.socket().file_stem().expect("a name").to_string_lossy().into_owned();
    assert!(name.len() == 16 && name != "default", "{name} is not a test's own");
    address
}

/// Ends the daemon that serves it, or is about to, and removes what that leaves behind.
pub fn end(address: &Address) {
    // One that is starting holds the lock and has no record yet.
    for _ in 0..200 {
        match Record::read(address) {
            Some(record) if record.pid != std::process::id() => {
                let _ = kill(pid(&record), Signal::SIGKILL);
                break;
            }
            None if address.lock().exists() => sleep(Duration::from_millis(5)),
            _ => break,
        }
    }
    for path in [address.lock(), address.spawn_lock(), address.record(), address.socket().to_owned()] {
        let _ = fs::remove_file(path);
    }
}

pub fn pid(record: &Record) -> Pid {
    Pid::from_raw(i32::try_from(record.pid).expect("a process id"))
}
