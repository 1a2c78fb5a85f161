//! The meter around an engine: what its turns spend is counted as calls of its model, one for each answer.
//!
//! A turn is held to the cap as a call is, before it begins and again before its model goes on. What the engine has
//! asked its model by itself by then is all that can run past the cap.

use std::sync::Arc;

use async_trait::async_trait;

use super::call::{Call, Progress};
use super::{Meter, estimate};
use crate::model::{
    Answer, Block, Delta, Ending, Engine, Happening, Place, ProviderError, Request, Run, Stop, Task, Thread, Usage,
};

pub(super) struct MeteredEngine {
    pub(super) inner: Arc<dyn Engine>,
    pub(super) meter: Meter,
}

impl MeteredEngine {
    fn model(&self, place: &Place) -> String {
        place.model.clone().or_else(|| self.inner.default_model()).unwrap_or_default()
    }

    fn metered(&self, run: Box<dyn Run>, model: String, call: Option<Call>) -> Box<dyn Run> {
        let (meter, provider) = (self.meter.clone(), self.inner.id().to_owned());
        Box::new(MeteredRun {
            inner: run,
            meter,
            provider,
            model,
            call,
            read: 0,
            pending: None,
            acted: false,
            goes_on: false,
            capped: None,
        })
    }
}

#[async_trait]
impl Engine for MeteredEngine {
    fn id(&self) -> &str {
        self.inner.id()
    }

    fn default_model(&self) -> Option<String> {
        self.inner.default_model()
    }

    async fn warm(&self, place: Place) -> Option<Thread> {
        self.inner.warm(place).await
    }

    async fn begin(&self, task: Task) -> Result<Box<dyn Run>, ProviderError> {
        let model = self.model(&task.place);
        let request = Request {
            system: Some(task.place.system.clone()),
            messages: task.messages.iter().map(|(_, message)| message.clone()).collect(),
            tools: Arc::clone(&task.place.tools),
            ..Request::default()
        };
        let read = estimate::input_tokens(&request);
        let call = self.meter.begin_call(self.inner.id(), &model, read, estimate::output_tokens(&request)).await?;
        match self.inner.begin(task).await {
            Ok(run) => Ok(self.metered(run, model, Some(call))),
            Err(error) => {
                call.failed(&error);
                Err(error)
            }
        }
    }

    /// The model is asked no more before there is an answer, so nothing is counted yet.
    async fn take_up(&self, place: Place) -> Result<Option<Box<dyn Run>>, ProviderError> {
        let model = self.model(&place);
        self.meter.may_call(self.inner.id(), &model).await?;
        let run = self.inner.take_up(place).await?;
        Ok(run.map(|run| self.metered(run, model, None)))
    }
}

struct MeteredRun {
    inner: Box<dyn Run>,
    meter: Meter,
    provider: String,
    model: String,
    /// The call of the model that is under way.
    call: Option<Call>,
    /// What the model has read by now, estimated.
    read: u64,
    /// What has happened and is not counted yet.
    pending: Option<Happening>,
    /// Something was called since the model was asked, so it is asked again.
    acted: bool,
    goes_on: bool,
    capped: Option<ProviderError>,
}

impl MeteredRun {
    /// The model is asked once more, if it is not at it.
    async fn ask_on(&mut self) {
        if self.call.is_none() && self.capped.is_none() {
            let written = estimate::output_tokens(&Request::default());
            match self.meter.begin_call(&self.provider, &self.model, self.read, written).await {
                Ok(call) => self.call = Some(call),
                Err(error) => self.capped = Some(error),
            }
        }
    }

    fn note(&mut self, happening: &mut Happening) {
        match happening {
            Happening::Model(model) => {
                self.model.clone_from(model);
                self.say(&mut Delta::Model(model.clone()));
            }
            Happening::Said(delta) => self.say(delta),
            Happening::Call(_) | Happening::Asked(_) | Happening::Did(_) => self.acted = true,
            Happening::Responded(usage) => {
                self.responded(usage);
                self.goes_on = std::mem::take(&mut self.acted);
            }
            Happening::Ended(Ending::Done) => {
                // The model was not asked again after all.
                if let Some(call) = self.call.as_mut().filter(|call| call.written == 0) {
                    call.progress = Progress::Void;
                }
            }
            Happening::Thread(_)
            | Happening::Void(_)
            | Happening::Settled { .. }
            | Happening::Steered { .. }
            | Happening::Warning(_)
            | Happening::Ended(Ending::Interrupted) => {}
        }
    }

    fn say(&mut self, delta: &mut Delta) {
        if let Some(call) = &mut self.call {
            call.note(delta);
        }
    }

    /// What was spent is counted, whether it may have been or not.
    fn responded(&mut self, usage: &mut Usage) {
        let open = || self.meter.open_call(&self.provider, &self.model, self.read);
        let mut call = self.call.take().unwrap_or_else(open);
        let mut told = Delta::Usage(*usage);
        call.note(&mut told);
        if let Delta::Usage(priced) = told {
            *usage = priced;
        }
        call.note(&mut Delta::Finished(Stop::EndTurn));
        self.read = usage.input_tokens.unwrap_or(self.read).saturating_add(usage.output_tokens.unwrap_or(0));
    }
}

#[async_trait]
impl Run for MeteredRun {
    async fn next(&mut self) -> Result<Happening, ProviderError> {
        if self.goes_on {
            self.ask_on().await;
            self.goes_on = false;
        }
        if self.pending.is_none() && self.capped.is_none() {
            let happening = self.inner.next().await.inspect_err(|error| {
                if let Some(call) = self.call.take() {
                    call.failed(error);
                }
            })?;
            self.pending = Some(happening);
        }
        use Happening::{Asked, Call, Did, Said};
        if let Some(Said(_) | Call(_) | Asked(_) | Did(_)) = self.pending {
            self.ask_on().await;
        }
        if let Some(error) = self.capped.clone() {
            self.inner.interrupt().await;
            return Err(error);
        }
        match self.pending.take() {
            Some(mut happening) => {
                self.note(&mut happening);
                Ok(happening)
            }
            None => self.inner.next().await,
        }
    }

    async fn answer(&mut self, id: &str, answer: Answer) -> Result<(), ProviderError> {
        self.inner.answer(id, answer).await
    }

    fn steer(&mut self, number: u64, content: &[Block]) {
        self.inner.steer(number, content);
    }

    async fn interrupt(&mut self) {
        self.inner.interrupt().await;
    }

    /// What the model has spent is told once the turn is taken up again.
    async fn leave(mut self: Box<Self>) {
        if let Some(mut call) = self.call.take() {
            call.progress = Progress::Void;
        }
        self.inner.leave().await;
    }
}
