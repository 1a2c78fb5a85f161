//! Which skill calls may run at once, and which wait for somebody's word.

use super::SkillSpec;
use crate::model::Mode;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permit {
    Run,
    Hold,
}

impl Permit {
    /// A model's call of a skill. Propose offers no tools, so a call that comes all the same is held whatever it is.
    pub fn for_mode(mode: Mode, skill: &SkillSpec) -> Self {
        match (mode, skill.dangerous) {
            (Mode::Auto, _) | (Mode::Selective, false) => Self::Run,
            (Mode::Selective, true) | (Mode::Propose, _) => Self::Hold,
        }
    }

    /// A client's own call of a skill.
    pub fn for_client(skill: &SkillSpec, confirmed: bool) -> Self {
        if skill.dangerous && !confirmed { Self::Hold } else { Self::Run }
    }
}
