//! `conductor.*`: turns, decisions, and watching them.

use super::approvals::Approvals;
use super::convert;
use super::error::ApiError;
use super::progress::Progress;
use super::subscriptions::{Followed, Following, send_event, send_resync};
use super::table::Context;
use crate::helm::{Entry, Event, TurnHandle};
use crate::protocol::{
    ApproveParams, Code, Empty, InterruptParams, InterruptResult, MessageParams, MessageResult, SubscribeParams,
    SubscribeResult, Token, UnsubscribeParams, Wait,
};

pub async fn message(context: Context, params: MessageParams) -> Result<MessageResult, ApiError> {
    let mut message = convert::message(&params)?;
    message.place = context.place();
    message.approver = Some(Approvals::for_turn(&context));
    let following = follow(&context, &message.session);
    let handle = context.app.conductor.message(message).await?;
    let telling = Telling::of(params.stream, params.wait);
    let turn = Turn { context, following, handle, session: params.session_name, telling };
    turn.answer(params.wait, params.detach, params.work_done_token, params.include_raw).await
}

pub async fn approve(context: Context, params: ApproveParams) -> Result<MessageResult, ApiError> {
    let mut approve = convert::approve(&params)?;
    approve.place = context.place();
    approve.approver = Some(Approvals::for_turn(&context));
    let following = follow(&context, &approve.session);
    let handle = context.app.conductor.approve(approve).await?;
    let telling = Telling::of(params.stream, params.wait);
    let turn = Turn { context, following, handle, session: params.session_name, telling };
    turn.answer(params.wait, params.detach, params.work_done_token, params.include_raw).await
}

pub async fn interrupt(context: Context, params: InterruptParams) -> Result<InterruptResult, ApiError> {
    Ok(InterruptResult { interrupted: context.app.conductor.interrupt(&params.session_name) })
}

pub async fn subscribe(context: Context, params: SubscribeParams) -> Result<SubscribeResult, ApiError> {
    convert::session_name(&params.session_name)?;
    let log = context.app.conductor.log(&params.session_name);
    let (subscriptions, answered) = (&context.connection.subscriptions, context.call.answered.clone());
    let seq = subscriptions.subscribe(&params.session_name, &log, params.after_seq, answered)?;
    context.app.conductor.warm(&params.session_name, context.place().cwd.clone());
    Ok(SubscribeResult { seq })
}

pub async fn unsubscribe(context: Context, params: UnsubscribeParams) -> Result<Empty, ApiError> {
    context.connection.subscriptions.unsubscribe(&params.session_name);
    Ok(Empty {})
}

/// From before the turn begins, so that none of its events is missed.
fn follow(context: &Context, session: &str) -> Following {
    context.connection.subscriptions.follow(session, &context.app.conductor.log(session))
}

/// Which of the turn's events are sent to the client that asked for it.
#[derive(Clone, Copy, PartialEq)]
enum Telling {
    All,
    /// How it ended.
    End,
    Nothing,
}

/// A turn that this request started or took up again.
struct Turn {
    context: Context,
    following: Following,
    handle: TurnHandle,
    session: String,
    telling: Telling,
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
            Wait::Accepted => Ok(self.accepted(token)),
            Wait::End => self.ended(token, include_raw).await,
        }
    }

    async fn ended(mut self, token: Option<Token>, include_raw: bool) -> Result<MessageResult, ApiError> {
        if !self.watch(token).await {
            return Err(ApiError::new(Code::ShuttingDown, "the connection ends before the turn does"));
        }
        let outcome = self.handle.outcome().await;
        Ok(MessageResult::Ended(Box::new(convert::turn_result(&outcome, include_raw)?)))
    }

    /// Answers at once, and goes on sending events, the last one at least.
    fn accepted(mut self, token: Option<Token>) -> MessageResult {
        let turn_id = self.handle.turn_id.to_string();
        let work = self.context.call.peer.work().clone();
        work.spawn(async move {
            let call = self.context.call.clone();
            tokio::select! {
                () = call.answered.cancelled() => {}
                () = call.peer.closing().cancelled() => {}
            }
            self.watch(token).await
        });
        MessageResult::Accepted { turn_id }
    }

    /// Sends the turn's events as they come; true once the last is sent, false if the connection ends before.
    async fn watch(&mut self, token: Option<Token>) -> bool {
        let progress = Progress::begin(&self.context.call.peer, token, &self.handle.turn_id).await;
        let ended = self.told_or_closed(&progress).await;
        progress.end().await;
        ended
    }

    async fn told_or_closed(&mut self, progress: &Progress) -> bool {
        let Self { context, following, handle, session, telling } = self;
        let (cancelled, closing) = (&context.call.cancelled, context.call.peer.closing());
        let mut told = false;
        let tell = tell(context, following, handle, session, *telling, progress);
        tokio::pin!(tell);
        loop {
            tokio::select! {
                biased;
                () = &mut tell => return true,
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

async fn tell(
    context: &Context,
    following: &mut Following,
    handle: &TurnHandle,
    session: &str,
    telling: Telling,
    progress: &Progress,
) {
    let peer = &context.call.peer;
    // Where to stop, once the turn is over. Usually its last event comes first.
    let mut stop = None;
    while stop.is_none_or(|stop| following.position() < stop) {
        let Followed { batch, sent } = tokio::select! {
            biased;
            followed = following.next() => followed,
            () = handle.over(), if stop.is_none() => {
                stop = Some(following.end());
                continue;
            }
        };
        // That a client is gone is noticed elsewhere.
        if let Some(seq) = batch.lost_up_to.filter(|_| !sent && telling != Telling::Nothing) {
            let _ = send_resync(peer, session, seq).await;
        }
        for entry in batch.entries.into_iter().filter(|entry| entry.turn_id == handle.turn_id) {
            progress.report(&entry).await;
            let is_end = matches!(entry.event, Event::LoopDone { .. });
            if !sent && telling.includes(&entry) {
                let _ = send_event(peer, session, entry).await;
            }
            if is_end {
                return;
            }
        }
    }
}

impl Telling {
    fn of(stream: bool, wait: Wait) -> Self {
        match (stream, wait) {
            (true, _) => Self::All,
            (false, Wait::Accepted) => Self::End,
            (false, Wait::End) => Self::Nothing,
        }
    }

    fn includes(self, entry: &Entry) -> bool {
        match self {
            Self::All => true,
            Self::End => matches!(entry.event, Event::Error { .. } | Event::LoopDone { .. }),
            Self::Nothing => false,
        }
    }
}
