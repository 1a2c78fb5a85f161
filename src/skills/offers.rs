//! Skills that come and go with those who offer them, beside the daemon's own.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Registry, Skill, SkillSpec};

/// What one may offer.
pub const MAX_OFFERED: usize = 128;

/// What all together may.
const MAX_IN_ALL: usize = 1024;

#[derive(Default)]
pub struct Offers {
    own: Arc<Registry>,
    /// By the number of those who offer them, as they were offered.
    offered: BTreeMap<u64, Vec<Skill>>,
}

/// Why nothing of what was offered is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OfferFault {
    /// The skill at this place has the id of one of the daemon's own.
    Taken {
        at: usize,
        plugin: String,
    },
    TooMany,
    /// There is no room for more, whoever offers them.
    Full,
}

impl Offers {
    pub fn new(own: Arc<Registry>) -> Self {
        Self { own, offered: BTreeMap::new() }
    }

    /// Those that the same has offered before under these ids are replaced.
    pub fn offer(&mut self, by: u64, skills: Vec<Skill>) -> Result<(), OfferFault> {
        for (at, skill) in skills.iter().enumerate() {
            if let Some(taken) = self.own.get(&skill.spec().id) {
                return Err(OfferFault::Taken { at, plugin: taken.spec().plugin.clone() });
            }
        }
        let mut offered = self.offered.get(&by).cloned().unwrap_or_default();
        for skill in skills.into_iter().map(|skill| skill.by(by)) {
            match offered.iter_mut().find(|earlier| earlier.spec().id == skill.spec().id) {
                Some(earlier) => *earlier = skill,
                None => offered.push(skill),
            }
        }
        if offered.len() > MAX_OFFERED {
            return Err(OfferFault::TooMany);
        }
        let others: usize = self.offered.iter().filter(|(number, _)| **number != by).map(|(_, of)| of.len()).sum();
        if others + offered.len() > MAX_IN_ALL {
            return Err(OfferFault::Full);
        }
        self.offered.insert(by, offered);
        Ok(())
    }

    /// Those that are not there are passed over.
    pub fn withdraw(&mut self, by: u64, ids: &[String]) {
        if let Some(offered) = self.offered.get_mut(&by) {
            offered.retain(|skill| !ids.contains(&skill.spec().id));
        }
    }

    /// Whether there was something to withdraw.
    pub fn withdraw_all(&mut self, by: u64) -> bool {
        self.offered.remove(&by).is_some_and(|skills| !skills.is_empty())
    }

    /// The daemon's own are others from now on. Gives the ids of those that are no longer offered because of that.
    pub fn own_are(&mut self, own: Arc<Registry>) -> Vec<String> {
        let mut lost = Vec::new();
        for skills in self.offered.values_mut() {
            let gone = skills.extract_if(.., |skill| own.get(&skill.spec().id).is_some());
            lost.extend(gone.map(|skill| skill.spec().id.clone()));
        }
        self.own = own;
        lost
    }

    pub fn ids(&self, by: u64) -> Vec<String> {
        self.offered.get(&by).into_iter().flatten().map(|skill| skill.spec().id.clone()).collect()
    }

    /// Whether it is offered as it was then: with another schema or another danger it is another skill.
    pub fn has(&self, by: u64, spec: &SkillSpec) -> bool {
        self.offered.get(&by).is_some_and(|skills| skills.iter().any(|skill| **skill.spec() == *spec))
    }

    /// All that can be run now. Of several offers of one id the first counts.
    pub fn registry(&self) -> Arc<Registry> {
        self.registry_with(&[])
    }

    /// The same for what one of them begins: of several offers of one id it has its own. None if that changes nothing.
    pub fn registry_for(&self, by: u64) -> Option<Arc<Registry>> {
        let own = self.offered.get(&by)?;
        let others = || self.offered.range(..by).flat_map(|(_, skills)| skills);
        let differs = own.iter().any(|skill| others().any(|other| other.spec().id == skill.spec().id));
        differs.then(|| self.registry_with(own))
    }

    /// The order is the same whoever goes first: a thread that was begun with other tools is not gone on with.
    fn registry_with(&self, first: &[Skill]) -> Arc<Registry> {
        let mut registry = Registry::clone(&self.own);
        for skill in self.offered.values().flatten() {
            let skill = first.iter().find(|one| one.spec().id == skill.spec().id).unwrap_or(skill);
            // One that is there already stays.
            let _ = registry.add(skill.clone());
        }
        registry.into()
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use serde_json::{Value, json};

    use super::*;
    use crate::model::ClientPlace;
    use crate::skills::{Handler, SkillError, SkillSpec};

    struct Nothing;

    #[async_trait]
    impl Handler for Nothing {
        async fn run(&self, _: Value, _: &ClientPlace) -> Result<Value, SkillError> {
            Ok(Value::Null)
        }
    }

    fn skill(id: &str, description: &str) -> Skill {
        let (id, description) = (id.to_owned(), description.to_owned());
        let input_schema = json!({ "type": "object" });
        let (plugin, tags) = ("client:test".to_owned(), Vec::new());
        Skill::new(SkillSpec { id, description, plugin, tags, input_schema, dangerous: true }, Nothing)
    }

    fn own(ids: &[&str]) -> Arc<Registry> {
        let mut registry = Registry::default();
        ids.iter().for_each(|id| registry.add(skill(id, "")).expect("another id"));
        registry.into()
    }

    fn taken(at: usize) -> Result<(), OfferFault> {
        Err(OfferFault::Taken { at, plugin: "client:test".to_owned() })
    }

    #[test]
    fn an_offer_is_taken_whole_or_not_at_all_and_ones_own_are_replaced() {
        let mut offers = Offers::new(own(&["ours"]));
        offers.offer(1, vec![skill("a", "first"), skill("b", "")]).expect("they are new");
        assert_eq!(offers.offer(2, vec![skill("c", ""), skill("ours", "")]), taken(1));
        assert_eq!(offers.ids(2), [] as [String; 0]);
        offers.offer(1, vec![skill("a", "second"), skill("d", "")]).expect("it is its own");
        assert_eq!(offers.ids(1), ["a", "b", "d"]);
        let registry = offers.registry();
        assert_eq!(registry.ids(), ["ours", "a", "b", "d"]);
        assert_eq!(registry.get("a").expect("it is offered").spec().description, "second");
        offers.withdraw(1, &["b".to_owned(), "nobodys".to_owned()]);
        offers.withdraw(3, &["a".to_owned()]);
        let has = |by, id, description| offers.has(by, skill(id, description).spec());
        assert!(has(1, "a", "second") && !has(1, "a", "first"), "another description makes another skill");
        assert!(!has(2, "a", "second") && !has(1, "b", ""));
        assert_eq!((offers.withdraw_all(1), offers.withdraw_all(1)), (true, false));
    }

    #[test]
    fn of_several_offers_of_one_id_the_first_counts_but_for_those_who_have_their_own() {
        let mut offers = Offers::new(own(&["ours"]));
        offers.offer(1, vec![skill("a", "of 1"), skill("b", "of 1")]).expect("they are new");
        offers.offer(2, vec![skill("c", "of 2"), skill("b", "of 2")]).expect("others may have them too");
        let described = |registry: &Registry| -> Vec<String> {
            registry.specs().map(|spec| format!("{} {}", spec.id, spec.description)).collect()
        };
        let offering = |registry: &Registry, id| registry.get(id).expect("it is there").offered_by();
        assert_eq!(described(&offers.registry()), ["ours ", "a of 1", "b of 1", "c of 2"]);
        assert_eq!(["ours", "b", "c"].map(|id| offering(&offers.registry(), id)), [None, Some(1), Some(2)]);
        let second = offers.registry_for(2).expect("it has one of its own");
        assert_eq!(described(&second), ["ours ", "a of 1", "b of 2", "c of 2"]);
        assert_eq!(offering(&second, "b"), Some(2));
        assert!(offers.registry_for(1).is_none() && offers.registry_for(3).is_none());
        offers.withdraw_all(1);
        assert_eq!(described(&offers.registry()), ["ours ", "c of 2", "b of 2"]);
        assert!(offers.registry_for(2).is_none());
    }

    #[test]
    fn the_daemons_own_go_before_those_of_clients() {
        let mut offers = Offers::new(own(&[]));
        offers.offer(1, vec![skill("a", ""), skill("b", "")]).expect("they are new");
        assert_eq!(offers.own_are(own(&["b", "c"])), ["b"]);
        assert_eq!(offers.registry().ids(), ["b", "c", "a"]);
        assert_eq!(offers.own_are(own(&[])), [] as [String; 0]);
        assert_eq!(offers.registry().ids(), ["a"]);
    }

    #[test]
    fn there_is_a_bound() {
        let mut offers = Offers::default();
        let many = |count: usize| (0..count).map(|number| skill(&format!("s{number}"), "")).collect::<Vec<_>>();
        assert_eq!(offers.offer(1, many(MAX_OFFERED + 1)), Err(OfferFault::TooMany));
        offers.offer(1, many(MAX_OFFERED)).expect("so many are fine");
        offers.offer(1, many(MAX_OFFERED)).expect("they are the same");
        assert_eq!(offers.offer(1, vec![skill("more", "")]), Err(OfferFault::TooMany));
        assert_eq!(offers.ids(1).len(), MAX_OFFERED);
        for by in 2..=8 {
            let others = (0..MAX_OFFERED).map(|number| skill(&format!("s{by}-{number}"), ""));
            offers.offer(by, others.collect()).expect("there is room");
        }
        assert_eq!(offers.offer(9, vec![skill("more", "")]), Err(OfferFault::Full));
        offers.withdraw_all(8);
        offers.offer(9, vec![skill("more", "")]).expect("there is room again");
    }
}
