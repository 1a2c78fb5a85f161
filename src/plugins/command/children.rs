//! The programs of skills that run now, for those who show them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// Clones share them.
#[derive(Clone, Default)]
pub struct Children(Arc<Mutex<BTreeMap<u32, Child>>>);

#[derive(Clone, Debug)]
pub struct Child {
    pub pid: u32,
    /// The skill's id.
    pub name: String,
    pub since: SystemTime,
}

/// Listed until it is dropped.
pub(super) struct Listed(Children, u32);

impl Children {
    pub(super) fn list(&self, pid: u32, name: &str) -> Listed {
        let child = Child { pid, name: name.to_owned(), since: SystemTime::now() };
        self.lock().insert(pid, child);
        Listed(self.clone(), pid)
    }

    pub fn all(&self) -> Vec<Child> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u32, Child>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.0.lock().remove(&self.1);
    }
}
