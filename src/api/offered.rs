//! What runs a skill that a client offers: a request to that client.

use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use serde_json::value::to_raw_value;

use super::{Connection, convert};
use crate::model::ClientPlace;
use crate::skills::{Handler, SkillError, SkillSpec};

/// Calls that one client may have at work.
pub const SIDE_BY_SIDE: usize = 64;

pub struct Offered {
    spec: SkillSpec,
    timeout: Duration,
    /// A skill that a turn knows does not keep its client.
    connection: Weak<Connection>,
}

impl Offered {
    pub fn new(spec: &SkillSpec, timeout: Duration, connection: &Arc<Connection>) -> Self {
        Self { spec: spec.clone(), timeout, connection: Arc::downgrade(connection) }
    }
}

#[async_trait]
impl Handler for Offered {
    async fn run(&self, input: Value, place: &ClientPlace) -> Result<Value, SkillError> {
        let id = &self.spec.id;
        let connection = self.connection.upgrade().filter(|connection| connection.offers(&self.spec));
        let Some(connection) = connection else { return Err(convert::skill_gone(id)) };
        let Ok(_place) = connection.calls.try_acquire() else {
            let message = format!("the client that offers {id} has {SIDE_BY_SIDE} calls at work already");
            return Err(SkillError { retryable: true, ..SkillError::new(message) });
        };
        let params = convert::skill_call(id, input, place, self.timeout);
        let params = to_raw_value(&params).expect("wire types are made of JSON values");
        let answer = connection.call_skill(&params, self.timeout).await;
        convert::skill_output(id, answer, self.timeout, &connection.app().setup().redact)
    }
}
