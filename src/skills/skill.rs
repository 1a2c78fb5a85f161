//! What a skill is, and what running one can come to.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tracing::Instrument;
use tracing::field::Empty;

use super::schema::{self, SchemaFault};
use crate::model::{ClientPlace, ErrorKind};

#[derive(Clone, Debug, PartialEq)]
pub struct SkillSpec {
    /// Kebab-case, unique; also the tool's name for a model.
    pub id: String,
    /// One line, for people and models.
    pub description: String,
    /// The plugin that brings it.
    pub plugin: String,
    pub tags: Vec<String>,
    /// A JSON Schema of type `object`.
    pub input_schema: Value,
    pub dangerous: bool,
}

/// Does the work. Dropping the future stops it.
#[async_trait]
pub trait Handler: Send + Sync {
    /// `input` has passed the skill's schema; `place` is for those who start something.
    async fn run(&self, input: Value, place: &ClientPlace) -> Result<Value, SkillError>;
}

/// The message is for the user and the model alike, so it holds no secret.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct SkillError {
    pub message: String,
    pub hint: Option<String>,
    /// The HTTP status, where the skill asked a service.
    pub status: Option<u16>,
    pub retryable: bool,
    /// Where a provider failed: why.
    pub kind: Option<ErrorKind>,
    /// The models that were asked in turn and all failed, where the skill asks several.
    pub attempts: Vec<SkillAttempt>,
}

/// One model that a skill asked.
#[derive(Clone, Debug, PartialEq)]
pub struct SkillAttempt {
    pub provider: String,
    pub model: String,
    /// The HTTP status of a failed one.
    pub status: Option<u16>,
    /// None if it went well.
    pub error: Option<String>,
    pub duration: Duration,
}

#[derive(Clone)]
pub struct Skill {
    spec: Arc<SkillSpec>,
    handler: Arc<dyn Handler>,
    offered_by: Option<u64>,
    /// Compiled at the first check: most skills of a process never run.
    validator: Arc<OnceLock<Result<jsonschema::Validator, String>>>,
}

impl Skill {
    pub fn new(spec: SkillSpec, handler: impl Handler + 'static) -> Self {
        Self { spec: Arc::new(spec), handler: Arc::new(handler), offered_by: None, validator: Arc::default() }
    }

    pub(super) fn by(self, client: u64) -> Self {
        Self { offered_by: Some(client), ..self }
    }

    /// The number of the client that offers it; none of the daemon's own.
    pub fn offered_by(&self) -> Option<u64> {
        self.offered_by
    }

    pub fn spec(&self) -> &Arc<SkillSpec> {
        &self.spec
    }

    /// Why no input can be checked against its schema.
    pub fn schema_fault(&self) -> Option<&str> {
        self.validator().as_ref().err().map(String::as_str)
    }

    /// Every way in which the input breaks the schema, each with its path.
    pub fn check(&self, input: &Value) -> Result<(), SchemaFault> {
        schema::check(self.validator(), input)
    }

    fn validator(&self) -> &Result<jsonschema::Validator, String> {
        self.validator.get_or_init(|| schema::compile(&self.spec.input_schema))
    }

    /// For a client in that place. The input is checked first; danger is the caller's business.
    pub async fn run(&self, input: Value, place: &ClientPlace) -> Result<Value, SkillError> {
        self.check(&input).map_err(|fault| SkillError::new(fault.to_string()))?;
        let span = tracing::info_span!(
            target: "open_think::telemetry",
            "execute_tool",
            otel.name = format_args!("execute_tool {}", self.spec.id),
            otel.status_code = Empty,
            gen_ai.operation.name = "execute_tool",
            gen_ai.tool.name = self.spec.id,
            gen_ai.tool.type = "function",
            error.type = Empty,
        );
        let outcome = self.handler.run(input, place).instrument(span.clone()).await;
        if outcome.is_err() {
            span.record("otel.status_code", "ERROR").record("error.type", "skill_failed");
        }
        outcome
    }
}

impl SkillError {
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, status: None, retryable: false, kind: None, attempts: Vec::new() }
    }

    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
