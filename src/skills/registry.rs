//! The skills that are on offer, in the order of their plugins.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Skill, SkillSpec};

#[derive(Clone, Default)]
pub struct Registry {
    skills: Vec<Skill>,
    by_id: HashMap<String, usize>,
}

impl Registry {
    /// Of two skills with one id the first stays; the second id is given back as the error.
    pub fn add(&mut self, skill: Skill) -> Result<(), String> {
        let id = skill.spec().id.clone();
        if self.by_id.contains_key(&id) {
            return Err(id);
        }
        self.by_id.insert(id, self.skills.len());
        self.skills.push(skill);
        Ok(())
    }

    pub fn get(&self, id: &str) -> Option<&Skill> {
        self.by_id.get(id).map(|index| &self.skills[*index])
    }

    pub fn specs(&self) -> impl Iterator<Item = &Arc<SkillSpec>> {
        self.skills.iter().map(Skill::spec)
    }

    pub fn ids(&self) -> Vec<String> {
        self.specs().map(|spec| spec.id.clone()).collect()
    }
}
