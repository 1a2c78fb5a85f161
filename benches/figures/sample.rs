//! Measured times, what is said of them, and the clocks of the processor.

use std::time::Duration;

use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

#[derive(Default)]
pub struct Sample(Vec<Duration>);

impl Sample {
    pub fn add(&mut self, time: Duration) {
        self.0.push(time);
    }

    pub fn median(&self) -> Duration {
        self.at(0.5)
    }

    pub fn p99(&self) -> Duration {
        self.at(0.99)
    }

    fn at(&self, part: f64) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let last = sorted.len().saturating_sub(1);
        sorted.get((last as f64 * part).round() as usize).copied().unwrap_or_default()
    }
}

/// Processor time that a process has used so far, all its threads together.
pub fn cpu_of(pid: u32) -> Duration {
    let pid = Pid::from_raw(pid.try_into().expect("a process id"));
    clock(clock_getcpuclockid(pid).expect("the process is alive"))
}

/// Processor time that this thread has used so far.
pub fn cpu_of_thread() -> Duration {
    clock(ClockId::CLOCK_THREAD_CPUTIME_ID)
}

fn clock(id: ClockId) -> Duration {
    let time: TimeSpec = clock_gettime(id).expect("the clock runs");
    time.into()
}
