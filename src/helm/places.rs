//! Where the client was that asked for the turn a session is at: what that turn holds runs there, whoever allows it.
//!
//! Kept in memory alone, for the sessions used last.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::ClientPlace;

const KEPT: usize = 1024;

#[derive(Default)]
pub struct Places(Mutex<VecDeque<Asked>>);

struct Asked {
    session: String,
    turn_id: String,
    place: Arc<ClientPlace>,
}

impl Places {
    /// A turn makes void what the one before it held.
    pub fn remember(&self, session: &str, turn_id: &str, place: Arc<ClientPlace>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|asked| asked.session != session);
        if kept.len() >= KEPT {
            kept.pop_front();
        }
        kept.push_back(Asked { session: session.to_owned(), turn_id: turn_id.to_owned(), place });
    }

    pub fn of(&self, turn_id: &str) -> Option<Arc<ClientPlace>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().find(|asked| asked.turn_id == turn_id).map(|asked| Arc::clone(&asked.place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sessions_used_last_are_remembered_with_their_last_turn() {
        let places = Places::default();
        let place =
            |cwd: &str| Arc::new(ClientPlace { cwd: Some(cwd.into()), env: Vec::new(), ..ClientPlace::default() });
        places.remember("s", "t1", place("/1"));
        places.remember("s", "t2", place("/2"));
        assert_eq!(places.of("t1"), None);
        assert_eq!(places.of("t2"), Some(place("/2")));
        for number in 0..KEPT {
            places.remember(&number.to_string(), &format!("u{number}"), place("/"));
        }
        assert_eq!(places.of("t2"), None);
        assert!(places.of("u0").is_some());
    }
}
