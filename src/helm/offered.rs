//! Skills of clients, which Helm has as long as these offer them.

use std::sync::{Arc, MutexGuard, PoisonError};

use super::Conductor;
use super::conductor::Shared;
use super::setup::Setup;
use crate::model::ClientPlace;
use crate::skills::{OfferFault, Offers, Registry, Skill, SkillSpec};

impl Conductor {
    /// They are there for every turn that is accepted from now on: all of them, or none. Those who offer something are
    /// told apart by their numbers; what one of them begins has its own skills where others have the same ids.
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

    pub fn is_offered(&self, by: u64, spec: &SkillSpec) -> bool {
        self.shared.offers().has(by, spec)
    }

    /// What can be run for one of those.
    pub fn skills_for(&self, by: u64) -> Arc<Registry> {
        self.shared.offers().registry_for(by).unwrap_or_else(|| Arc::clone(&self.setup().skills))
    }
}

impl Shared {
    /// What turns begin with that this client asks for.
    pub fn setup_for(&self, place: &ClientPlace) -> Arc<Setup> {
        let (offers, setup) = (self.offers(), self.setup());
        match place.client.and_then(|by| offers.registry_for(by)) {
            Some(skills) => Arc::new(Setup { skills, ..Setup::clone(&setup) }),
            None => setup,
        }
    }

    pub(super) fn offers(&self) -> MutexGuard<'_, Offers> {
        self.offers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_in(&self, offers: &Offers) {
        self.set_up(Setup { skills: offers.registry(), ..Setup::clone(&self.setup()) });
    }
}
