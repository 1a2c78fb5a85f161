//! `cf-gateway-chat-fallbacks`: one question to several models in their order, until one answers.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use super::ID;
use super::options::KEY;
use crate::model::{ClientPlace, Completion, ErrorKind, Provider, ProviderError, Request};
use crate::plugins::Gate;
use crate::plugins::chat_skill::{Input, complete, failed, output, schema};
use crate::providers::gateway::ModelId;
use crate::skills::{Handler, Skill, SkillAttempt, SkillError, SkillSpec};

const MAX_MODELS: usize = 16;

pub(super) fn skill(provider: Option<Arc<Gate>>, hint: &str, options: &Value) -> Skill {
    let spec = SkillSpec {
        id: "cf-gateway-chat-fallbacks".to_owned(),
        description: "Ask several models behind the gateway in their order; the first that answers wins".to_owned(),
        plugin: ID.to_owned(),
        tags: vec!["ai".to_owned(), "chat".to_owned()],
        input_schema: input_schema(options),
        dangerous: false,
    };
    Skill::new(spec, Fallbacks { provider, hint: hint.to_owned() })
}

/// That of the chat skill, with a list in the place of its model.
fn input_schema(options: &Value) -> Value {
    let mut schema = schema(options);
    if let Some(properties) = schema["properties"].as_object_mut() {
        properties.remove("model");
    }
    schema["properties"]["models"] = json!({
        "type": "array",
        "items": { "type": "string", "minLength": 1 },
        "minItems": 1,
        "maxItems": MAX_MODELS,
        "description": "provider/model-name each, in the order in which they are asked",
    });
    schema["properties"]["perModelTimeoutMs"] =
        json!({ "type": "integer", "minimum": 1, "description": "how long one model may take, retries included" });
    schema["properties"][KEY]["description"] =
        json!("a vendor's own key, a string, for the models here of the first one's vendor; it is kept nowhere");
    schema["required"] = json!(["messages", "models"]);
    schema
}

struct Fallbacks {
    provider: Option<Arc<Gate>>,
    hint: String,
}

#[async_trait]
impl Handler for Fallbacks {
    async fn run(&self, mut input: Value, _: &ClientPlace) -> Result<Value, SkillError> {
        let Some(provider) = &self.provider else {
            return Err(SkillError::new(format!("{ID} is not configured")).with_hint(&self.hint));
        };
        let mut take = |name: &str| input.as_object_mut().and_then(|input| input.remove(name)).unwrap_or_default();
        let models: Vec<String> = serde_json::from_value(take("models")).map_err(unreadable)?;
        let patience = take("perModelTimeoutMs").as_u64().map(Duration::from_millis);
        let request = serde_json::from_value::<Input>(input).map_err(unreadable)?.into_request();
        let keyed = models.iter().find_map(|model| ModelId::parse(model).ok());
        let mut attempts = Attempts::new(&request, keyed, patience);
        for (index, model) in models.into_iter().enumerate() {
            let Some(answered) = attempts.ask(&**provider, &request, model).await else { break };
            let (Ok(completion), model) = answered else { continue };
            let told = completion.model.clone().or_else(|| Some(model.clone()));
            let mut output = output(completion, told, ID);
            output["winner"] = json!({ "model": model, "index": index });
            output["attempts"] = attempts.made.iter().map(row).collect();
            return Ok(output);
        }
        Err(attempts.exhausted())
    }
}

/// The calls made so far, and what is left of the time.
struct Attempts {
    made: Vec<SkillAttempt>,
    last: Option<ProviderError>,
    /// A key that came with the call is its vendor's, and no business of another's.
    keyed: Option<ModelId>,
    patience: Option<Duration>,
    deadline: Option<Instant>,
}

impl Attempts {
    fn new(request: &Request, keyed: Option<ModelId>, patience: Option<Duration>) -> Self {
        let deadline = request.timeout.map(|timeout| Instant::now() + timeout);
        Self { made: Vec::new(), last: None, keyed, patience, deadline }
    }

    /// None when no time is left for it.
    async fn ask(
        &mut self,
        provider: &dyn Provider,
        request: &Request,
        model: String,
    ) -> Option<(Result<Completion, ()>, String)> {
        let start = Instant::now();
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(start));
        if left.is_some_and(|left| left.is_zero()) {
            return None;
        }
        let limit = [self.patience, left].into_iter().flatten().min();
        let (result, duration) = match ModelId::for_chat(&model) {
            // Nothing was sent.
            Err(error) => (Err(error), Duration::ZERO),
            Ok(id) => {
                let mut request = Request { model: Some(model.clone()), timeout: limit, ..request.clone() };
                if !self.keyed.as_ref().is_some_and(|keyed| keyed.shares_vendor(&id)) {
                    request.options.remove(KEY);
                }
                let result = within(limit, complete(provider, request)).await;
                (result, start.elapsed())
            }
        };
        let error = result.as_ref().err();
        self.made.push(SkillAttempt {
            provider: provider.id().to_owned(),
            model: model.clone(),
            status: error.and_then(|error| error.status),
            error: error.map(ToString::to_string),
            duration,
        });
        let result = result.map_err(|error| self.last = Some(error));
        Some((result, model))
    }

    fn exhausted(self) -> SkillError {
        let last = self.last.unwrap_or_else(|| ProviderError::new(ErrorKind::Timeout, "no time was left to ask"));
        let message = format!("none of the models answered ({} asked); the last one: {last}", self.made.len());
        SkillError { message, attempts: self.made, ..failed(last) }
    }
}

/// A call that is late is dropped, which ends it upstream.
async fn within(
    limit: Option<Duration>,
    call: impl Future<Output = Result<Completion, ProviderError>>,
) -> Result<Completion, ProviderError> {
    let Some(limit) = limit else { return call.await };
    let late = |_| {
        let message = format!("no answer within {} ms", limit.as_millis());
        Err(ProviderError::new(ErrorKind::Timeout, message))
    };
    timeout(limit, call).await.unwrap_or_else(late)
}

fn row(attempt: &SkillAttempt) -> Value {
    let duration = u64::try_from(attempt.duration.as_millis()).unwrap_or(u64::MAX);
    let mut row = json!({
        "model": attempt.model,
        "provider": attempt.provider,
        "ok": attempt.error.is_none(),
        "durationMs": duration,
    });
    if let Some(status) = attempt.status {
        row["status"] = json!(status);
    }
    if let Some(error) = &attempt.error {
        row["error"] = json!(error);
    }
    row
}

fn unreadable(error: serde_json::Error) -> SkillError {
    SkillError::new(error.to_string())
}
