//! Asking clients about held actions: all that can answer, at once; the first valid answer counts.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures_util::stream::{FuturesUnordered, StreamExt};
use serde_json::value::{RawValue, to_raw_value};

use super::table::Context;
use super::{App, Connection, convert};
use crate::helm::{ApprovalRequest, Approver, Decision};
use crate::protocol::{ApprovalAnswer, Method, Notification, names};

/// Those who may decide for one turn: whoever started it, and whoever watches its session.
pub struct Approvals {
    app: Arc<App>,
    origin: u64,
    /// Who was asked and has not decided.
    asked: Mutex<Vec<Arc<Connection>>>,
}

impl Approvals {
    pub fn for_turn(context: &Context) -> Arc<dyn Approver> {
        let origin = context.call.peer.number();
        Arc::new(Self { app: Arc::clone(&context.app), origin, asked: Mutex::default() })
    }

    fn able(&self, session: &str) -> Vec<Arc<Connection>> {
        let concerned = |connection: &Arc<Connection>| {
            connection.peer.number() == self.origin || connection.subscriptions.has(session)
        };
        let connections = self.app.connections().into_iter();
        connections.filter(|connection| connection.can_approve() && concerned(connection)).collect()
    }

    fn set_asked(&self, asked: Vec<Arc<Connection>>) -> Vec<Arc<Connection>> {
        std::mem::replace(&mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner), asked)
    }
}

#[async_trait]
impl Approver for Approvals {
    async fn decide(&self, request: &ApprovalRequest) -> Option<Decision> {
        let able = self.able(&request.session);
        self.set_asked(able.clone());
        let params = to_raw_value(&convert::approval(request)).expect("wire types are made of JSON values");
        let mut answers: FuturesUnordered<_> =
            able.iter().map(|connection| ask(connection, &params, request)).collect();
        while let Some((number, decision)) = answers.next().await {
            if decision.is_some() {
                let others = able.iter().filter(|connection| connection.peer.number() != number).cloned().collect();
                self.set_asked(others);
                return decision;
            }
        }
        None
    }

    async fn settled(&self, request: &ApprovalRequest, decision: Option<&Decision>) {
        let asked = self.set_asked(Vec::new());
        if asked.is_empty() {
            return;
        }
        let params = convert::approval_resolved(request, decision);
        let params: Arc<RawValue> = to_raw_value(&params).expect("wire types are made of JSON values").into();
        // A client that reads slowly must not hold up the turn.
        for connection in asked {
            let params = Arc::clone(&params);
            tokio::spawn(async move {
                let peer = &connection.peer;
                tokio::select! {
                    _ = peer.notify(names::ApprovalResolved::NAME, params.get()) => {}
                    () = peer.closed().cancelled() => {}
                }
            });
        }
    }
}

/// A client that errs or says something else has not decided.
async fn ask(connection: &Connection, params: &RawValue, request: &ApprovalRequest) -> (u64, Option<Decision>) {
    let peer = &connection.peer;
    let answer = peer.request(names::Approval::NAME, params.get(), request.deadline).await;
    let decision = match answer.as_ref().map(|answer| serde_json::from_str::<ApprovalAnswer>(answer.get())) {
        Ok(Ok(ApprovalAnswer { decision, input })) => {
            let decision = convert::decision(decision, input.filter(|_| request.actions.len() == 1));
            let unclear = request.actions.iter().any(|action| decision.is_unclear(action.input.as_ref()));
            if unclear {
                tracing::info!("an approval was answered with an empty input, and counts for nothing");
            }
            (!unclear).then_some(decision)
        }
        Ok(Err(error)) => {
            tracing::info!(%error, "an approval was answered with something else");
            None
        }
        Err(error) => {
            tracing::info!(%error, "an approval was not answered");
            None
        }
    };
    (peer.number(), decision)
}
