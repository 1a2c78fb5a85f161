//! How many files and connections the daemon may have open: as many as it is allowed to ask for, within reason.
//!
//! Programs that it starts get the same: to give each its own again would need code between fork and exec.

use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};

/// More than all its connections need.
const WANTED: rlim_t = 65_536;

/// Raises the limit of this process, and says what it is.
pub fn raise() -> nix::Result<rlim_t> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let wanted = wanted(soft, hard);
    if wanted != soft {
        setrlimit(Resource::RLIMIT_NOFILE, wanted, hard)?;
    }
    Ok(wanted)
}

/// Never less than there was.
fn wanted(soft: rlim_t, hard: rlim_t) -> rlim_t {
    soft.max(hard.min(WANTED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_raised_as_far_as_is_allowed_and_never_lowered() {
        assert_eq!(wanted(1024, 4096), 4096);
        assert_eq!(wanted(1024, 1_048_576), WANTED);
        assert_eq!(wanted(1024, rlim_t::MAX), WANTED);
        assert_eq!(wanted(100_000, 1_048_576), 100_000);
        assert_eq!(wanted(64, 64), 64);
    }
}
