//! The skills that a client has registered, to be registered again with a daemon that comes later. There are no more of
//! them than a daemon took.

use serde_json::value::{RawValue, to_raw_value};

use crate::protocol::{ClientSkill, SkillsRegisterParams};

#[derive(Default)]
pub struct Offers(Vec<ClientSkill>);

impl Offers {
    /// A daemon has taken these, and `registered` is all that it has of the client's now.
    pub fn note(&mut self, skills: Vec<ClientSkill>, registered: Vec<String>) {
        for skill in skills {
            match self.0.iter_mut().find(|earlier| earlier.id == skill.id) {
                Some(earlier) => *earlier = skill,
                None => self.0.push(skill),
            }
        }
        self.0.retain(|skill| registered.contains(&skill.id));
    }

    /// Parameters of one request a skill: where one is refused, because another client was first, the rest are taken.
    pub fn again(&self) -> Vec<Box<RawValue>> {
        let params = |skill: &ClientSkill| to_raw_value(&SkillsRegisterParams { skills: vec![skill.clone()] }).ok();
        self.0.iter().filter_map(params).collect()
    }
}
