//! How a provider fared the last time it was asked.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures_util::StreamExt;
use url::Url;

use crate::model::{Delta, DeltaStream, ErrorKind, ModelInfo, Provider, ProviderError, Request};

/// Shared between a plugin and the provider that it watches.
#[derive(Clone, Default)]
pub struct Health {
    last: Arc<Mutex<Option<Result<(), String>>>>,
}

impl Health {
    /// None while it has not been asked; the error is one sentence.
    pub fn last(&self) -> Option<Result<(), String>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn watch(&self, inner: Arc<dyn Provider>) -> Arc<dyn Provider> {
        Arc::new(Watched { inner, health: self.clone() })
    }

    /// A request that is at fault tells nothing of the provider.
    fn note<T>(&self, result: &Result<T, ProviderError>) {
        use ErrorKind::{ContentBlocked, ContextTooLong, InvalidRequest, ModelNotFound};
        let of_request = [InvalidRequest, ModelNotFound, ContextTooLong, ContentBlocked];
        if result.as_ref().is_err_and(|error| of_request.contains(&error.kind)) {
            return;
        }
        let note = result.as_ref().map(|_| ()).map_err(ToString::to_string);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(note);
    }
}

struct Watched {
    inner: Arc<dyn Provider>,
    health: Health,
}

#[async_trait]
impl Provider for Watched {
    fn id(&self) -> &str {
        self.inner.id()
    }

    fn default_model(&self) -> Option<&str> {
        self.inner.default_model()
    }

    async fn stream(&self, request: Request) -> Result<DeltaStream, ProviderError> {
        let result = self.inner.stream(request).await;
        self.health.note(&result);
        let health = self.health.clone();
        // One that breaks off later counts as well.
        let noted = move |delta: &Result<Delta, ProviderError>| {
            if delta.is_err() {
                health.note(delta);
            }
        };
        Ok(result?.inspect(noted).boxed())
    }

    async fn models(&self) -> Result<Vec<ModelInfo>, ProviderError> {
        let result = self.inner.models().await;
        self.health.note(&result);
        result
    }

    async fn count_tokens(&self, request: Request) -> Result<Option<u64>, ProviderError> {
        self.inner.count_tokens(request).await
    }

    fn endpoints(&self) -> Vec<Url> {
        self.inner.endpoints()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails at once, or in the midst of its answer.
    struct Failing {
        at_once: Option<ErrorKind>,
    }

    #[async_trait]
    impl Provider for Failing {
        fn id(&self) -> &str {
            "failing"
        }

        fn default_model(&self) -> Option<&str> {
            None
        }

        async fn stream(&self, _: Request) -> Result<DeltaStream, ProviderError> {
            match self.at_once {
                Some(kind) => Err(ProviderError::new(kind, "no")),
                None => {
                    let broken = Err(ProviderError::new(ErrorKind::Truncated, "it broke off"));
                    Ok(futures_util::stream::iter([broken]).boxed())
                }
            }
        }

        async fn models(&self) -> Result<Vec<ModelInfo>, ProviderError> {
            Ok(Vec::new())
        }
    }

    async fn check(at_once: Option<ErrorKind>, expected: Option<Result<(), String>>) {
        let health = Health::default();
        if let Ok(deltas) = health.watch(Arc::new(Failing { at_once })).stream(Request::default()).await {
            assert_eq!(health.last(), Some(Ok(())));
            let _: Vec<_> = deltas.collect().await;
        }
        assert_eq!(health.last(), expected);
    }

    #[tokio::test]
    async fn only_what_is_the_providers_own_fault_counts() {
        check(Some(ErrorKind::Auth), Some(Err("no".to_owned()))).await;
        check(Some(ErrorKind::InvalidRequest), None).await;
        check(Some(ErrorKind::ModelNotFound), None).await;
        check(None, Some(Err("it broke off".to_owned()))).await;
    }
}
