//! One model call: the candidates in order until one answers, its deltas turned into events on the way.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use tokio_util::sync::CancellationToken;

use super::action_block::Filter;
use super::log::EventLog;
use super::request::Attempt;
use super::{Event, HelmError, Model};
use crate::model::{Block, BlockStart, Completion, Delta, ErrorKind, Fold, Provider, ProviderError, Request};

const INTERRUPTED: &str = "interrupted before its answer was complete";

/// A provider that may be asked, and the model to ask it for.
#[derive(Clone)]
pub struct Candidate {
    pub provider: Arc<dyn Provider>,
    pub model: Option<String>,
    /// Why it is passed over when its time comes, if it is.
    pub unfit: Option<String>,
}

pub enum Called {
    Answer(Completion),
    /// Interrupted; what had come by then.
    Cancelled(Completion),
}

/// The model side of one turn.
pub struct Caller {
    pub candidates: Vec<Candidate>,
    /// Those before it have failed in this turn and are not tried again.
    pub current: usize,
    pub timeout: Option<Duration>,
    pub attempts: Vec<Attempt>,
    pub events: Events,
    pub cancelled: CancellationToken,
}

enum Failure {
    /// Nothing has been shown: another candidate may be tried.
    Clean(ProviderError),
    /// The user has seen part of an answer, which a second one must not follow.
    Broken(ProviderError),
}

impl Caller {
    pub async fn call(&mut self, request: &Request) -> Result<Called, HelmError> {
        loop {
            let candidate = self.candidates[self.current].clone();
            let started = Instant::now();
            let outcome = self.attempt(&candidate, request.clone()).await;
            let duration = started.elapsed();
            let (error, broken) = match outcome {
                Ok(called) => {
                    let cut_off = matches!(called, Called::Cancelled(_)).then(|| INTERRUPTED.to_owned());
                    self.record(&candidate, None, cut_off, duration);
                    return Ok(called);
                }
                Err(Failure::Clean(error)) => (error, false),
                Err(Failure::Broken(error)) => (error, true),
            };
            self.note_failure(&candidate, &error, duration);
            let next = if broken { None } else { self.next_fit() };
            match next {
                Some(next) => self.current = next,
                None => return Err(self.failed(&candidate, error, !broken)),
            }
        }
    }

    /// The next candidate that may be asked. Those on the way to it count as attempts that failed.
    fn next_fit(&mut self) -> Option<usize> {
        for next in self.current + 1..self.candidates.len() {
            let candidate = self.candidates[next].clone();
            let Some(why) = &candidate.unfit else { return Some(next) };
            let error = ProviderError::new(ErrorKind::Config, format!("passed over: {why}"));
            self.note_failure(&candidate, &error, Duration::ZERO);
        }
        None
    }

    fn note_failure(&mut self, candidate: &Candidate, error: &ProviderError, duration: Duration) {
        self.record(candidate, error.status, Some(error.to_string()), duration);
        self.events.attempt_failed(candidate, error);
    }

    async fn attempt(&mut self, candidate: &Candidate, mut request: Request) -> Result<Called, Failure> {
        request.model.clone_from(&candidate.model);
        request.timeout = self.timeout;
        let cancelled = self.cancelled.clone();
        let streamed = request.stream;
        let mut answer = self.events.answer();
        let work = async {
            let mut deltas = candidate.provider.stream(request).await?;
            while let Some(delta) = deltas.next().await {
                answer.push(&delta?);
            }
            Ok::<(), ProviderError>(())
        };
        let deadline = async {
            match self.timeout {
                Some(timeout) => tokio::time::sleep(timeout).await,
                None => std::future::pending().await,
            }
        };
        // Dropping the work aborts it upstream.
        let result = tokio::select! {
            biased;
            result = work => Some(result),
            () = cancelled.cancelled() => None,
            () = deadline => Some(Err(late(candidate, self.timeout))),
        };
        let shown = streamed && !answer.fold.is_empty();
        match result {
            None => {
                let (completion, _) = answer.finish(&mut self.events);
                Ok(Called::Cancelled(completion))
            }
            Some(Ok(())) => {
                let (completion, finished) = answer.finish(&mut self.events);
                if finished {
                    return Ok(Called::Answer(completion));
                }
                let error = ProviderError::new(ErrorKind::Truncated, "the model's answer broke off before its end");
                Err(if shown { Failure::Broken(error) } else { Failure::Clean(error) })
            }
            Some(Err(error)) => Err(if shown { Failure::Broken(error) } else { Failure::Clean(error) }),
        }
    }

    fn record(&mut self, candidate: &Candidate, status: Option<u16>, error: Option<String>, duration: Duration) {
        let (provider, model) = (candidate.provider.id().to_owned(), candidate.model());
        self.attempts.push(Attempt { provider, model, status, error, duration });
    }

    /// Who was asked last, and the model that answered if it said so.
    pub fn used(&self, answered: Option<&String>) -> Model {
        self.candidates[self.current].used(answered)
    }

    fn failed(&self, candidate: &Candidate, error: ProviderError, exhausted: bool) -> HelmError {
        let provider = candidate.provider.id().to_owned();
        let error = Arc::new(error);
        let attempts = self.attempts.clone();
        // Behind a cap that is reached the others are not at fault.
        if exhausted && self.candidates.len() > 1 && error.kind != ErrorKind::SpendCap {
            return HelmError::FallbacksExhausted { provider, error, attempts };
        }
        HelmError::Provider { provider, error, attempts }
    }
}

fn late(candidate: &Candidate, timeout: Option<Duration>) -> ProviderError {
    let limit = timeout.unwrap_or_default().as_millis();
    let message = format!("{} did not answer within {limit} ms", candidate.provider.id());
    ProviderError::new(ErrorKind::Timeout, message)
}

impl Candidate {
    /// The model asked for, or the one that the provider will choose.
    pub fn model(&self) -> Option<String> {
        self.model.clone().or_else(|| self.provider.default_model().map(str::to_owned))
    }

    pub fn used(&self, answered: Option<&String>) -> Model {
        Model { provider: self.provider.id().to_owned(), model: answered.cloned().or_else(|| self.model()) }
    }
}

/// Where the events of a turn go. Block indexes go on counting from answer to answer.
pub struct Events {
    pub log: Arc<EventLog>,
    pub turn_id: Arc<str>,
    pub next_index: u32,
}

impl Events {
    pub fn push(&self, event: Event) {
        self.log.push(&self.turn_id, event);
    }

    fn attempt_failed(&self, candidate: &Candidate, error: &ProviderError) {
        self.push(Event::AttemptFailed {
            provider: candidate.provider.id().to_owned(),
            model: candidate.model(),
            status: error.status,
            error: error.to_string(),
        });
    }

    fn answer(&self) -> Answer {
        Answer {
            log: Arc::clone(&self.log),
            turn_id: Arc::clone(&self.turn_id),
            base: self.next_index,
            top: 0,
            fold: Fold::default(),
            texts: HashMap::new(),
        }
    }
}

/// One answer as it comes: folded up, and told as events.
struct Answer {
    log: Arc<EventLog>,
    turn_id: Arc<str>,
    base: u32,
    /// Indexes used so far.
    top: u32,
    fold: Fold,
    /// Text blocks that are open, each with what of it has been shown.
    texts: HashMap<u32, (Filter, String)>,
}

impl Answer {
    fn push(&mut self, delta: &Delta) {
        self.fold.push(delta);
        match delta {
            Delta::Start { index, block } => {
                self.top = self.top.max(index.saturating_add(1));
                self.start(*index, block);
            }
            Delta::Text { index, text } => self.text(*index, text),
            Delta::Arguments { index, partial } => {
                if let Some(Block::ToolCall(call)) = self.fold.get(*index) {
                    let id = call.id.clone();
                    self.emit(Event::ToolUseInput { index: self.base + index, id, partial: partial.clone() });
                }
            }
            Delta::Stop { index } => self.stop(*index),
            Delta::Model(_) | Delta::Opaque { .. } | Delta::Usage(_) | Delta::Metadata(_) | Delta::Finished(_) => {}
        }
    }

    fn start(&mut self, index: u32, block: &BlockStart) {
        match block {
            BlockStart::Text => {
                self.texts.insert(index, Default::default());
                self.emit(Event::TextStart { index: self.base + index });
            }
            BlockStart::ToolCall { id, name } => {
                self.emit(Event::ToolUseStart { index: self.base + index, id: id.clone(), name: name.clone() });
            }
            BlockStart::Reasoning | BlockStart::Foreign(_) => {}
        }
    }

    fn text(&mut self, index: u32, text: &str) {
        let at = self.base + index;
        match self.texts.get_mut(&index) {
            Some((filter, shown)) => {
                let text = filter.push(text);
                if !text.is_empty() {
                    shown.push_str(&text);
                    self.emit(Event::TextDelta { index: at, text });
                }
            }
            None if !text.is_empty() => self.emit(Event::ReasoningDelta { index: at, text: text.to_owned() }),
            None => {}
        }
    }

    fn stop(&mut self, index: u32) {
        let at = self.base + index;
        if let Some((mut filter, mut shown)) = self.texts.remove(&index) {
            let rest = filter.finish();
            if !rest.is_empty() {
                shown.push_str(&rest);
                self.emit(Event::TextDelta { index: at, text: rest });
            }
            self.emit(Event::TextStop { index: at, text: shown });
        } else if let Some(Block::ToolCall(call)) = self.fold.get(index) {
            let input = call.input().unwrap_or_else(|_| call.arguments.clone().into());
            let (id, name) = (call.id.clone(), call.name.clone());
            self.emit(Event::ToolUseStop { index: at, id, name, input });
        }
    }

    /// Closes what is still open, as it is when an answer breaks off.
    fn finish(mut self, events: &mut Events) -> (Completion, bool) {
        let mut open: Vec<u32> = self.texts.keys().copied().collect();
        open.sort_unstable();
        open.into_iter().for_each(|index| self.stop(index));
        events.next_index = self.base + self.top;
        self.fold.finish()
    }

    fn emit(&self, event: Event) {
        self.log.push(&self.turn_id, event);
    }
}

#[cfg(test)]
#[path = "attempts_tests.rs"]
mod tests;
