//! `conductor.*`: turns, decisions, and watching them.

use super::approvals::Approvals;
use super::error::ApiError;
use super::progress::Progress;
use super::table::Context;
use super::{convert, subscriptions};
use crate::helm::{Entry, Event, Reader, TurnHandle};
use crate::protocol::{
    ApproveParams, Code, Empty, InterruptParams, InterruptResult, MessageParams, MessageResult, SubscribeParams,
    SubscribeResult, Token, UnsubscribeParams, Wait,
};

pub async fn message(context: Context, params: MessageParams) -> Result<MessageResult, ApiError> {
    let mut message = convert::message(&params)?;
    message.approver = Some(Approvals::for_turn(&context));
    let reader = context.app.conductor.log(&message.session).read(None);
    let handle = context.app.conductor.message(message).await?;
    let turn = Turn { context, reader, handle, session: params.session_name, stream: params.stream };
    turn.answer(params.wait, params.detach, params.work_done_token, params.include_raw).await
}

pub async fn approve(context: Context, params: ApproveParams) -> Result<MessageResult, ApiError> {
    let mut approve = convert::approve(&params)?;
    approve.approver = Some(Approvals::for_turn(&context));
    let reader = context.app.conductor.log(&approve.session).read(None);
    let handle = context.app.conductor.approve(approve).await?;
    let turn = Turn { context, reader, handle, session: params.session_name, stream: params.stream };
    turn.answer(params.wait, params.detach, params.work_done_token, params.include_raw).await
}

pub async fn interrupt(context: Context, params: InterruptParams) -> Result<InterruptResult, ApiError> {
    Ok(InterruptResult { interrupted: context.app.conductor.interrupt(&params.session_name) })
}

pub async fn subscribe(context: Context, params: SubscribeParams) -> Result<SubscribeResult, ApiError> {
    convert::session_name(&params.session_name)?;
    let log = context.app.conductor.log(&params.session_name);
    let (subscriptions, answered) = (&context.connection.subscriptions, context.call.answered.clone());
    let seq = subscriptions.subscribe(&params.session_name, &log, params.after_seq, answered);
    Ok(SubscribeResult { seq })
}

pub async fn unsubscribe(context: Context, params: UnsubscribeParams) -> Result<Empty, ApiError> {
    context.connection.subscriptions.unsubscribe(&params.session_name);
    Ok(Empty {})
}

/// A turn that this request started or took up again.
struct Turn {
    context: Context,
    reader: Reader,
    handle: TurnHandle,
    session: String,
    stream: bool,
}

impl Turn {
    async fn answer(
        self,
        wait: Wait,
        detach: bool,
        token: Option<Token>,
        include_raw: bool,
    ) -> Result<MessageResult, ApiError> {
        if detach {
            self.handle.detach();
        }
        match wait {
            Wait::Accepted => Ok(self.accepted()),
            Wait::End => self.ended(token, include_raw).await,
        }
    }

    async fn ended(mut self, token: Option<Token>, include_raw: bool) -> Result<MessageResult, ApiError> {
        let progress = Progress::begin(&self.context.call.peer, token).await;
        let ended = self.watch(&progress).await;
        progress.end().await;
        if !ended {
            return Err(ApiError::new(Code::ShuttingDown, "the connection ends before the turn does"));
        }
        let outcome = self.handle.outcome().await;
        Ok(MessageResult::Ended(Box::new(convert::turn_result(&outcome, include_raw)?)))
    }

    /// Answers at once, and goes on sending events where that was asked for.
    fn accepted(mut self) -> MessageResult {
        let turn_id = self.handle.turn_id.to_string();
        tokio::spawn(async move {
            let call = self.context.call.clone();
            tokio::select! {
                () = call.answered.cancelled() => {}
                () = call.peer.closing().cancelled() => {}
            }
            self.watch(&Progress::none()).await
        });
        MessageResult::Accepted { turn_id }
    }

    /// Sends the turn's events as they come; true once the last is sent, false if the connection ends before.
    async fn watch(&mut self, progress: &Progress) -> bool {
        let Self { context, reader, handle, session, stream } = self;
        let (cancelled, closing) = (&context.call.cancelled, context.call.peer.closing());
        let mut told = false;
        let follow = follow(context, reader, handle, session, *stream, progress);
        tokio::pin!(follow);
        loop {
            tokio::select! {
                biased;
                () = &mut follow => return true,
                () = cancelled.cancelled(), if !told => {
                    told = true;
                    handle.cancel();
                }
                () = closing.cancelled() => {
                    // Before the handle is dropped, which on being dropped asks whether anybody watches.
                    context.connection.subscriptions.close();
                    return false;
                }
            }
        }
    }
}

async fn follow(
    context: &Context,
    reader: &mut Reader,
    handle: &TurnHandle,
    session: &str,
    stream: bool,
    progress: &Progress,
) {
    let subscriptions = &context.connection.subscriptions;
    // Where to stop, once the turn is over. Usually its last event comes first.
    let mut stop = None;
    while stop.is_none_or(|stop| reader.position() < stop) {
        let batch = tokio::select! {
            biased;
            batch = reader.next() => batch,
            () = handle.over(), if stop.is_none() => {
                stop = Some(reader.end());
                continue;
            }
        };
        let ours = |entry: &&Entry| entry.turn_id == handle.turn_id;
        progress.report(batch.entries.iter().filter(ours)).await;
        let is_end = |entry: &&Entry| matches!(entry.event, Event::LoopDone { .. });
        let end = batch.entries.iter().filter(ours).find(is_end).map(|entry| entry.seq);
        if subscriptions.has(session) {
            // The subscription sends it all; the answer must not overtake it.
            if let Some(seq) = end {
                subscriptions.caught_up(session, seq).await;
            }
        } else if stream {
            // A client that is gone is noticed elsewhere.
            let _ = subscriptions::send(&context.call.peer, session, batch, Some(&handle.turn_id)).await;
        }
        if end.is_some() {
            return;
        }
    }
}
