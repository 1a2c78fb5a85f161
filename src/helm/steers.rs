//! What was said to a turn in an engine while it ran, until it is known what became of it.

use std::collections::HashMap;

use super::HelmError;
use super::engine_turn::Work;
use super::runner::Runner;
use super::running::{Said, Steer};
use crate::model::{Block, Message, Role, Steered};

#[derive(Default)]
pub struct Steers {
    said: u64,
    open: HashMap<u64, Steer>,
}

impl Steers {
    /// The number under which the engine is told of it; none if nobody wants it any more.
    pub fn say(&mut self, steer: Steer) -> Option<(u64, Vec<Block>)> {
        if steer.heard.is_closed() {
            return None;
        }
        self.said += 1;
        let content = steer.content.clone();
        self.open.insert(self.said, steer);
        Some((self.said, content))
    }

    pub fn are_settled(&self) -> bool {
        self.open.is_empty()
    }
}

/// The engine may have taken what it has not spoken of.
impl Drop for Steers {
    fn drop(&mut self) {
        for (_, steer) in self.open.drain() {
            let _ = steer.heard.send(Said::Unsure("the turn was left before its provider had answered".to_owned()));
        }
    }
}

impl Runner {
    /// Where the engine has not taken it, it becomes a message of its own.
    pub(super) async fn steered(&self, work: &mut Work, number: u64, outcome: Steered) -> Result<(), HelmError> {
        let Some(steer) = work.steers.open.remove(&number) else { return Ok(()) };
        let said = match outcome {
            Steered::Taken => {
                let said = Message { role: Role::User, blocks: steer.content };
                self.write(vec![self.message(said, None)]).await?;
                Said::Taken
            }
            Steered::Refused(why) => {
                tracing::info!(turn = %self.row.id, why, "the running turn took no more");
                Said::NotTaken
            }
            Steered::Unsure(why) => Said::Unsure(why),
        };
        // Whoever said it may have left.
        let _ = steer.heard.send(said);
        Ok(())
    }
}
