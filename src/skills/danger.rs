//! Which skill calls may run at once, and which wait for somebody's word.

use serde::{Deserialize, Serialize};

use super::SkillSpec;

/// How far Helm may go on its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Plan only.
    #[default]
    Propose,
    /// Run safe skills, hold dangerous ones.
    Selective,
    /// Run everything.
    Auto,
}

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

impl Mode {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Propose => "propose",
            Self::Selective => "selective",
            Self::Auto => "auto",
        }
    }
}
