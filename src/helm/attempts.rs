//! One model call: the candidates in order until one answers, its deltas turned into events on the way.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use tokio_util::sync::CancellationToken;

use super::answer::Events;
use super::request::Attempt;
use super::{Event, HelmError, Model};
use crate::model::{Completion, Engine, ErrorKind, Provider, ProviderError, Request};

pub const INTERRUPTED: &str = "interrupted before its answer was complete";

/// A way to a model that may be asked, and the model to ask it for.
#[derive(Clone)]
pub struct Candidate {
    pub id: String,
    /// Completes messages.
    pub provider: Option<Arc<dyn Provider>>,
    /// Runs whole turns. Where both are there it goes first, and the provider goes on with what others have begun.
    pub engine: Option<Arc<dyn Engine>>,
    pub model: Option<String>,
    /// Why it is passed over when its time comes, if it is.
    pub unfit: Option<String>,
}

pub enum Called {
    Answer(Completion),
    /// Interrupted; what had come by then.
    Cancelled(Completion),
    /// The rest of the turn is the engine's whose time has come.
    Engine(Arc<dyn Engine>),
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

pub enum Failure {
    /// Nothing has been shown: another candidate may be tried.
    Clean(ProviderError),
    /// The user has seen part of an answer, which a second one must not follow.
    Broken(ProviderError),
}

impl Caller {
    pub async fn call(&mut self, request: &Request) -> Result<Called, HelmError> {
        loop {
            let candidate = self.candidates[self.current].clone();
            if let Some(engine) = candidate.engine {
                return Ok(Called::Engine(engine));
            }
            let started = Instant::now();
            match self.attempt(&candidate, request.clone()).await {
                Ok(called) => {
                    let cut_off = matches!(called, Called::Cancelled(_)).then(|| INTERRUPTED.to_owned());
                    self.record(&candidate, None, cut_off, started.elapsed());
                    return Ok(called);
                }
                Err(failure) => self.fall_back(failure, started.elapsed())?,
            }
        }
    }

    /// Part of the turn is done: no engine begins in the midst of it, but for that of the candidate who has done it.
    pub fn in_mid_turn(&mut self, but: Option<usize>) {
        let others = self.candidates.iter_mut().enumerate().filter(|(at, _)| Some(*at) != but);
        others.for_each(|(_, candidate)| candidate.engine = None);
    }

    /// From the current candidate, which has failed, to the next one that may be asked.
    ///
    /// # Errors
    /// When there is none.
    pub fn fall_back(&mut self, failure: Failure, duration: Duration) -> Result<(), HelmError> {
        let candidate = self.candidates[self.current].clone();
        let (error, broken) = match failure {
            Failure::Clean(error) => (error, false),
            Failure::Broken(error) => (error, true),
        };
        self.note_failure(&candidate, &error, duration);
        let next = if broken { None } else { self.next_fit() };
        match next {
            Some(next) => self.current = next,
            None => return Err(self.failed(&candidate, error, !broken)),
        }
        Ok(())
    }

    /// The next candidate that may be asked. Those on the way to it count as attempts that failed.
    fn next_fit(&mut self) -> Option<usize> {
        for next in self.current + 1..self.candidates.len() {
            let candidate = self.candidates[next].clone();
            let Some(why) = candidate.unfit() else { return Some(next) };
            self.note_failure(&candidate, &passed_over(why), Duration::ZERO);
        }
        None
    }

    fn note_failure(&mut self, candidate: &Candidate, error: &ProviderError, duration: Duration) {
        self.record(candidate, error.status, Some(error.to_string()), duration);
        self.attempt_failed(candidate, error.status, error.to_string());
    }

    pub fn attempt_failed(&self, candidate: &Candidate, status: Option<u16>, error: String) {
        let (provider, model) = (candidate.id.clone(), candidate.model());
        self.events.push(Event::AttemptFailed { provider, model, status, error });
    }

    async fn attempt(&mut self, candidate: &Candidate, mut request: Request) -> Result<Called, Failure> {
        let Some(provider) = &candidate.provider else { return Err(Failure::Clean(passed_over(ENGINE_ONLY))) };
        request.model.clone_from(&candidate.model);
        request.timeout = self.timeout;
        let cancelled = self.cancelled.clone();
        let streamed = request.stream;
        let mut answer = self.events.answer();
        let work = async {
            let mut deltas = provider.stream(request).await?;
            while let Some(delta) = deltas.next().await {
                answer.push(&delta?);
            }
            Ok::<(), ProviderError>(())
        };
        // Dropping the work aborts it upstream.
        let result = tokio::select! {
            biased;
            result = work => Some(result),
            () = cancelled.cancelled() => None,
            () = after(self.timeout) => Some(Err(late(candidate, self.timeout))),
        };
        let shown = streamed && !answer.is_empty();
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

    /// Keeps how the current candidate fared.
    pub fn record_current(&mut self, error: Option<String>, duration: Duration) {
        let candidate = self.candidates[self.current].clone();
        self.record(&candidate, None, error, duration);
    }

    fn record(&mut self, candidate: &Candidate, status: Option<u16>, error: Option<String>, duration: Duration) {
        let (provider, model) = (candidate.id.clone(), candidate.model());
        self.attempts.push(Attempt { provider, model, status, error, duration });
    }

    /// Who was asked last, and the model that answered if it said so.
    pub fn used(&self, answered: Option<&String>) -> Model {
        self.candidates[self.current].used(answered)
    }

    fn failed(&self, candidate: &Candidate, error: ProviderError, exhausted: bool) -> HelmError {
        let provider = candidate.id.clone();
        let error = Arc::new(error);
        let attempts = self.attempts.clone();
        // Behind a cap that is reached the others are not at fault.
        if exhausted && self.candidates.len() > 1 && error.kind != ErrorKind::SpendCap {
            return HelmError::FallbacksExhausted { provider, error, attempts };
        }
        HelmError::Provider { provider, error, attempts }
    }
}

const ENGINE_ONLY: &str = "it runs whole turns only, and this one is begun";

fn passed_over(why: &str) -> ProviderError {
    ProviderError::new(ErrorKind::Config, format!("passed over: {why}"))
}

/// Never, if there is no limit.
pub async fn after(limit: Option<Duration>) {
    match limit {
        Some(limit) => tokio::time::sleep(limit).await,
        None => std::future::pending().await,
    }
}

pub fn late(candidate: &Candidate, timeout: Option<Duration>) -> ProviderError {
    let limit = timeout.unwrap_or_default().as_millis();
    let message = format!("{} did not answer within {limit} ms", candidate.id);
    ProviderError::new(ErrorKind::Timeout, message)
}

impl Candidate {
    /// The model asked for, or the one that the provider will choose.
    pub fn model(&self) -> Option<String> {
        self.model.clone().or_else(|| self.default_model())
    }

    /// What is used where no model is named.
    pub fn default_model(&self) -> Option<String> {
        match (&self.engine, &self.provider) {
            (Some(engine), _) => engine.default_model(),
            (None, Some(provider)) => provider.default_model().map(str::to_owned),
            (None, None) => None,
        }
    }

    pub fn used(&self, answered: Option<&String>) -> Model {
        Model { provider: self.id.clone(), model: answered.cloned().or_else(|| self.model()) }
    }

    fn unfit(&self) -> Option<&str> {
        let nothing_left = (self.provider.is_none() && self.engine.is_none()).then_some(ENGINE_ONLY);
        self.unfit.as_deref().or(nothing_left)
    }
}

#[cfg(test)]
#[path = "attempts_tests.rs"]
mod tests;
