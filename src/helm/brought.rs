//! Who brings the skill of an action: what was shown is what runs, and never another of the same id.
//!
//! The plugin is on disk. Which client offers it is known as long as its turn's place is: of two windows of an editor
//! both offer under one name.

use serde_json::json;

use super::runner::Runner;
use super::turn::{Planned, Verdict};
use crate::model::ToolCall;
use crate::sessions::ActionRow;

impl Runner {
    /// The plugin that brings the skill of a new action, if there is such a skill.
    pub fn brought_by(&self, action: &str, skill: &str) -> Option<String> {
        let skill = self.setup.skills.get(skill)?;
        if let Some(client) = skill.offered_by() {
            self.helm.places.offers(&self.row.id, action, client);
        }
        Some(skill.spec().plugin.clone())
    }

    /// The call of a kept action. It stays refused where its skill is another one by now.
    pub fn planned(&self, action: &ActionRow) -> Planned {
        let input = action.input.clone().unwrap_or_else(|| json!({}));
        let id = action.tool_use_id.clone().unwrap_or_else(|| action.id.clone());
        let call = ToolCall { id, name: action.skill.clone(), arguments: input.to_string(), opaque: None };
        let verdict = match self.replaced(action) {
            Some(why) => Verdict::Refuse(why),
            None => Verdict::Hold(action.reason.clone().unwrap_or_default()),
        };
        Planned { call, input, verdict }
    }

    /// That the skill of an action has made way for another, in a sentence.
    fn replaced(&self, action: &ActionRow) -> Option<String> {
        let (was, skill) = (action.plugin.as_ref()?, self.setup.skills.get(&action.skill)?);
        let now = &skill.spec().plugin;
        let offering = self.helm.places.offering(&action.turn_id, &action.id);
        if now == was && (offering.is_none() || offering == skill.offered_by()) {
            return None;
        }
        let another = if now == was { "another " } else { "" };
        let id = &action.skill;
        Some(format!(
            "skill '{id}' of '{was}', which this was held for, is gone: the one of {another}'{now}' was not run in its place"
        ))
    }
}
