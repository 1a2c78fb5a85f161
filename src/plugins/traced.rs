//! A provider whose calls leave spans, by OpenTelemetry's conventions for calls of models. Neither what was asked nor what
//! was answered is in them.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::StreamExt;
use tracing::field::Empty;
use tracing::{Instrument, Span};
use url::Url;

use crate::model::{Delta, DeltaStream, ModelInfo, Provider, ProviderError, Request, Usage};

pub(super) fn watch(provider: Arc<dyn Provider>) -> Arc<dyn Provider> {
    Arc::new(Traced(provider))
}

struct Traced(Arc<dyn Provider>);

/// One call, told when it is dropped.
struct Call {
    span: Span,
    usage: Usage,
    model: Option<String>,
    finished: bool,
}

#[async_trait]
impl Provider for Traced {
    fn id(&self) -> &str {
        self.0.id()
    }

    fn default_model(&self) -> Option<&str> {
        self.0.default_model()
    }

    async fn stream(&self, request: Request) -> Result<DeltaStream, ProviderError> {
        let model = request.model.as_deref().or(self.default_model()).unwrap_or_default();
        let span = tracing::info_span!(
            target: "open_think::telemetry",
            "chat",
            otel.name = format_args!("chat {model}"),
            otel.kind = "client",
            otel.status_code = Empty,
            gen_ai.operation.name = "chat",
            gen_ai.provider.name = self.0.id(),
            gen_ai.request.model = model,
            gen_ai.response.model = Empty,
            gen_ai.usage.input_tokens = Empty,
            gen_ai.usage.output_tokens = Empty,
            http.response.status_code = Empty,
            error.type = Empty,
        );
        if span.is_disabled() {
            return self.0.stream(request).await;
        }
        let mut call = Call { span: span.clone(), usage: Usage::default(), model: None, finished: false };
        match self.0.stream(request).instrument(span).await {
            Ok(deltas) => Ok(deltas.inspect(move |delta| call.note(delta.as_ref())).boxed()),
            Err(error) => {
                call.note(Err(&error));
                Err(error)
            }
        }
    }

    async fn models(&self) -> Result<Vec<ModelInfo>, ProviderError> {
        self.0.models().await
    }

    async fn count_tokens(&self, request: Request) -> Result<Option<u64>, ProviderError> {
        self.0.count_tokens(request).await
    }

    fn lack(&self) -> Option<String> {
        self.0.lack()
    }

    fn endpoints(&self) -> Vec<Url> {
        self.0.endpoints()
    }
}

impl Call {
    fn note(&mut self, delta: Result<&Delta, &ProviderError>) {
        match delta {
            Ok(Delta::Model(model)) => self.model = Some(model.clone()),
            Ok(Delta::Usage(usage)) => self.usage.replace_with(*usage),
            Ok(Delta::Finished(_)) => self.finished = true,
            Ok(_) => {}
            Err(error) => {
                self.finished = true;
                self.span
                    .record("otel.status_code", "ERROR")
                    .record("error.type", format!("{:?}", error.kind))
                    .record("http.response.status_code", error.status.map(i64::from));
            }
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.finished {
            self.span.record("error.type", "cancelled");
        }
        // Whole numbers without a sign become texts there.
        let signed = |count: Option<u64>| count.and_then(|count| i64::try_from(count).ok());
        self.span
            .record("gen_ai.response.model", self.model.as_deref())
            .record("gen_ai.usage.input_tokens", signed(self.usage.input_tokens))
            .record("gen_ai.usage.output_tokens", signed(self.usage.output_tokens));
    }
}
