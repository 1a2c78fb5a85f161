//! Skills: named actions with a schema for their input and a danger flag.

mod bounds;
mod danger;
mod offers;
mod registry;
mod schema;
mod skill;

pub use bounds::unbounded;
pub use danger::Permit;
pub use offers::{MAX_OFFERED, OfferFault, Offers};
pub use registry::Registry;
pub use schema::SchemaFault;
pub use skill::{Handler, Skill, SkillAttempt, SkillError, SkillSpec};
