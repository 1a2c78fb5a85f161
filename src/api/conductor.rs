//! `conductor.*`: turns, decisions, and watching them.

use std::sync::Arc;

use super::approvals::Approvals;
use super::error::ApiError;
use super::progress::Progress;
use super::table::Context;
use super::{convert, subscriptions};
use crate::helm::{Event, Reader, TurnHandle};
use crate::protocol::{
    ApproveParams, Code, Empty, InterruptParams, InterruptResult, MessageParams, MessageResult, SubscribeParams,
    SubscribeResult, Token, UnsubscribeParams, Wait,
};

pub async fn message(context: Context, params: MessageParams) -> Result<MessageResult, ApiError> {
    let mut message = convert::message(&params)?;
    message.approver = Some(Approvals::for_turn(&context));
    let reader = context.app.conductor.log(&message.session).read(None);
    let handle = context.app.conductor.message(message).await?;
    let turn = Turn {
        reader,
        handle,
        session: params.session_name,
        stream: params.stream,
        include_raw: params.include_raw,
        detach: params.detach,
    };
    turn.answer(&context, params.wait, params.work_done_token).await
}

pub async fn approve(context: Context, params: ApproveParams) -> Result<MessageResult, ApiError> {
    let mut approve = convert::approve(&params)?;
    approve.approver = Some(Approvals::for_turn(&context));
    let reader = context.app.conductor.log(&approve.session).read(None);
    let handle = context.app.conductor.approve(approve).await?;
    let turn = Turn {
        reader,
        handle,
        session: params.session_name,
        stream: params.stream,
        include_raw: params.include_raw,
        detach: params.detach,
    };
    turn.answer(&context, params.wait, params.work_done_token).await
}

pub async fn interrupt(context: Context, params: InterruptParams) -> Result<InterruptResult, ApiError> {
    Ok(InterruptResult { interrupted: context.app.conductor.interrupt(&params.session_name) })
}

pub async fn subscribe(context: Context, params: SubscribeParams) -> Result<SubscribeResult, ApiError> {
    convert::session_name(&params.session_name)?;
    let log = context.app.conductor.log(&params.session_name);
    let seq = context.connection.subscriptions.subscribe(&params.session_name, &log, params.after_seq);
    Ok(SubscribeResult { seq })
}

pub async fn unsubscribe(context: Context, params: UnsubscribeParams) -> Result<Empty, ApiError> {
    context.connection.subscriptions.unsubscribe(&params.session_name);
    Ok(Empty {})
}

/// A turn that this request waits for.
struct Turn {
    // Before the handle, which on being dropped asks whether anybody still reads along.
    reader: Reader,
    handle: TurnHandle,
    session: String,
    stream: bool,
    include_raw: bool,
    detach: bool,
}

impl Turn {
    async fn answer(mut self, context: &Context, wait: Wait, token: Option<Token>) -> Result<MessageResult, ApiError> {
        self.handle.set_detached(self.detach);
        if wait == Wait::Accepted {
            return Ok(self.accepted(context));
        }
        let progress = Progress::begin(&context.call.peer, token).await;
        let followed = tokio::select! {
            biased;
            followed = self.follow(context, &progress) => Some(followed),
            () = context.call.peer.closing().cancelled() => None,
        };
        progress.end().await;
        if followed.is_none() {
            return Err(ApiError::new(Code::ShuttingDown, "the connection ends before the turn does"));
        }
        let outcome = self.handle.outcome().await;
        Ok(MessageResult::Ended(Box::new(convert::turn_result(&outcome, self.include_raw)?)))
    }

    /// Sends the turn's events as they come, until its last.
    async fn follow(&mut self, context: &Context, progress: &Progress) {
        let connection = &context.connection;
        let peer = &context.call.peer;
        let cancelled = &context.call.cancelled;
        let turn_id = Arc::clone(&self.handle.turn_id);
        loop {
            let batch = tokio::select! {
                biased;
                batch = self.reader.next() => batch,
                () = cancelled.cancelled(), if !cancelled.is_cancelled() => {
                    self.handle.cancel();
                    continue;
                }
            };
            if cancelled.is_cancelled() {
                self.handle.cancel();
            }
            let ours = |entry: &&crate::helm::Entry| entry.turn_id == turn_id;
            progress.report(batch.entries.iter().filter(ours)).await;
            let end = batch
                .entries
                .iter()
                .filter(ours)
                .find(|entry| matches!(entry.event, Event::LoopDone { .. }))
                .map(|entry| entry.seq);
            if connection.subscriptions.has(&self.session) {
                // The subscription sends it all; the answer must not overtake it.
                if let Some(seq) = end {
                    connection.subscriptions.caught_up(&self.session, seq).await;
                }
            } else if self.stream {
                // A client that is gone is noticed elsewhere.
                let _ = subscriptions::send(peer, &self.session, batch, Some(&turn_id)).await;
            }
            if end.is_some() || self.handle.is_over() {
                return;
            }
        }
    }

    /// Answers at once, and goes on sending events where that was asked for.
    fn accepted(mut self, context: &Context) -> MessageResult {
        let turn_id = self.handle.turn_id.to_string();
        let peer = context.call.peer.clone();
        let streams = self.stream && !context.connection.subscriptions.has(&self.session);
        tokio::spawn(async move {
            loop {
                let batch = tokio::select! {
                    biased;
                    () = peer.closing().cancelled() => return,
                    batch = self.reader.next() => batch,
                };
                let end = batch
                    .entries
                    .iter()
                    .any(|entry| entry.turn_id == self.handle.turn_id && matches!(entry.event, Event::LoopDone { .. }));
                let turn_id = Arc::clone(&self.handle.turn_id);
                if streams {
                    let _ = subscriptions::send(&peer, &self.session, batch, Some(&turn_id)).await;
                }
                if end || self.handle.is_over() {
                    self.handle.set_detached(true);
                    return;
                }
            }
        });
        MessageResult::Accepted { turn_id }
    }
}
