//! `$/progress` for a request that carried a work-done token, as editors show it.

use serde_json::value::to_raw_value;

use crate::helm::{Entry, Event};
use crate::protocol::{Notification, ProgressParams, ProgressValue, Token, names};
use crate::rpc::Peer;

/// Does nothing where there is no token.
pub struct Progress {
    target: Option<(Peer, Token)>,
}

impl Progress {
    pub async fn begin(peer: &Peer, token: Option<Token>, turn_id: &str) -> Self {
        let progress = Self { target: token.map(|token| (peer.clone(), token)) };
        let (title, turn_id) = ("Helm".to_owned(), turn_id.to_owned());
        progress.send(ProgressValue::Begin { title, cancellable: true, turn_id }).await;
        progress
    }

    pub async fn report(&self, entry: &Entry) {
        if let Some(message) = describe(&entry.event) {
            self.send(ProgressValue::Report { message }).await;
        }
    }

    pub async fn end(self) {
        self.send(ProgressValue::End { message: None }).await;
    }

    async fn send(&self, value: ProgressValue) {
        let Some((peer, token)) = &self.target else { return };
        let params = ProgressParams { token: token.clone(), value };
        let params = to_raw_value(&params).expect("wire types are made of JSON values");
        // Progress to a client that is gone is nobody's loss.
        let _ = peer.notify(names::Progress::NAME, params.get()).await;
    }
}

fn describe(event: &Event) -> Option<String> {
    Some(match event {
        Event::TurnStart { provider, model: Some(model), .. } => format!("asking {provider}/{model}"),
        Event::TurnStart { provider, model: None, .. } => format!("asking {provider}"),
        Event::ToolUseStop { name, .. } => format!("calling {name}"),
        Event::ToolHeld { skill, .. } => format!("{skill} waits for approval"),
        Event::AttemptFailed { provider, error, .. } => format!("{provider} failed: {error}"),
        _ => return None,
    })
}
