//! The skills that are on offer, in the order of their plugins.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use super::{Skill, SkillSpec};
use crate::model::ToolSpec;

#[derive(Clone, Default)]
pub struct Registry {
    skills: Vec<Skill>,
    by_id: HashMap<String, usize>,
    tools: OnceLock<Arc<[ToolSpec]>>,
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
        self.tools.take();
        Ok(())
    }

    pub fn get(&self, id: &str) -> Option<&Skill> {
        self.by_id.get(id).map(|index| &self.skills[*index])
    }

    pub fn specs(&self) -> impl Iterator<Item = &Arc<SkillSpec>> {
        self.skills.iter().map(Skill::spec)
    }

    /// All of them as a model is told of them.
    pub fn tools(&self) -> Arc<[ToolSpec]> {
        let tool = |spec: &Arc<SkillSpec>| ToolSpec {
            name: spec.id.clone(),
            description: spec.description.clone(),
            input_schema: spec.input_schema.clone().into(),
        };
        Arc::clone(self.tools.get_or_init(|| self.specs().map(tool).collect()))
    }

    pub fn ids(&self) -> Vec<String> {
        self.specs().map(|spec| spec.id.clone()).collect()
    }
}
