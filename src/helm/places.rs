//! Where the client was that asked for the turn a session is at: what that turn holds runs there, whoever allows it; and
//! which clients offer the skills that it holds.
//!
//! Kept in memory alone, for the sessions used last.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::ClientPlace;

const KEPT: usize = 1024;

#[derive(Default)]
pub struct Places(Mutex<VecDeque<Asked>>);

struct Asked {
    session: String,
    turn_id: String,
    place: Arc<ClientPlace>,
    /// By the ids of its actions, the number of the client that offers the skill.
    offering: HashMap<String, u64>,
}

impl Places {
    /// A turn makes void what the one before it held.
    pub fn remember(&self, session: &str, turn_id: &str, place: Arc<ClientPlace>) {
        let mut kept = self.kept();
        let before = kept.iter().position(|asked| asked.session == session).and_then(|at| kept.remove(at));
        let offering = before.filter(|asked| asked.turn_id == turn_id).map(|asked| asked.offering).unwrap_or_default();
        if kept.len() >= KEPT {
            kept.pop_front();
        }
        kept.push_back(Asked { session: session.to_owned(), turn_id: turn_id.to_owned(), place, offering });
    }

    pub fn of(&self, turn_id: &str) -> Option<Arc<ClientPlace>> {
        self.kept().iter().find(|asked| asked.turn_id == turn_id).map(|asked| Arc::clone(&asked.place))
    }

    /// An action of the turn is a skill that this client offers.
    pub fn offers(&self, turn_id: &str, action: &str, client: u64) {
        if let Some(asked) = self.kept().iter_mut().find(|asked| asked.turn_id == turn_id) {
            asked.offering.insert(action.to_owned(), client);
        }
    }

    pub fn offering(&self, turn_id: &str, action: &str) -> Option<u64> {
        self.kept().iter().find(|asked| asked.turn_id == turn_id)?.offering.get(action).copied()
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<Asked>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        places.offers("t1", "a0", 7);
        places.offers("t2", "a1", 7);
        places.remember("s", "t2", place("/2"));
        let offering = [("t1", "a0"), ("t2", "a0"), ("t2", "a1")].map(|(turn, action)| places.offering(turn, action));
        assert_eq!(offering, [None, None, Some(7)]);
        for number in 0..KEPT {
            places.remember(&number.to_string(), &format!("u{number}"), place("/"));
        }
        assert_eq!(places.of("t2"), None);
        assert!(places.of("u0").is_some());
    }
}
