//! Skills of clients, which Helm has as long as these offer them.

use std::sync::{MutexGuard, PoisonError};

use super::Conductor;
use super::conductor::Shared;
use super::setup::Setup;
use crate::skills::{OfferFault, Offers, Skill};

impl Conductor {
    /// They are there for every turn that is accepted from now on: all of them, or none. Those who offer something are
    /// told apart by their numbers.
    pub fn offer(&self, by: u64, skills: Vec<Skill>) -> Result<(), OfferFault> {
        let mut offers = self.shared.offers();
        offers.offer(by, skills)?;
        self.shared.take_in(&offers);
        Ok(())
    }

    /// Turns that know them hear that they are gone.
    pub fn withdraw(&self, by: u64, ids: &[String]) {
        let mut offers = self.shared.offers();
        offers.withdraw(by, ids);
        self.shared.take_in(&offers);
    }

    pub fn withdraw_all(&self, by: u64) {
        let mut offers = self.shared.offers();
        if offers.withdraw_all(by) {
            self.shared.take_in(&offers);
        }
    }

    /// In the order in which they were offered first.
    pub fn offered(&self, by: u64) -> Vec<String> {
        self.shared.offers().ids(by)
    }

    pub fn is_offered(&self, by: u64, id: &str) -> bool {
        self.shared.offers().has(by, id)
    }
}

impl Shared {
    pub(super) fn offers(&self) -> MutexGuard<'_, Offers> {
        self.offers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_in(&self, offers: &Offers) {
        self.set_up(Setup { skills: offers.registry(), ..Setup::clone(&self.setup()) });
    }
}
