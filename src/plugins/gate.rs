//! The one way to a plugin's provider. Turns and the plugin's own skills go through the same gate, so whatever stands
//! around the provider stands in the way of both, and a plugin has nothing else to offer a skill.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use url::Url;

use crate::model::{DeltaStream, Engine, ModelInfo, Place, Provider, ProviderError, Request, Run, Task, Thread};

/// Plugins are built before it is known what their calls report to; until then the way is open.
pub struct Gate {
    bare: Arc<dyn Provider>,
    guarded: OnceLock<Arc<dyn Provider>>,
}

impl Gate {
    pub fn new(provider: Arc<dyn Provider>) -> Arc<Self> {
        Arc::new(Self { bare: provider, guarded: OnceLock::new() })
    }

    /// From now on all calls go through what `wrap` makes of the provider. Only the first one counts.
    pub(super) fn guard(&self, wrap: impl FnOnce(Arc<dyn Provider>) -> Arc<dyn Provider>) {
        self.guarded.get_or_init(|| wrap(Arc::clone(&self.bare)));
    }
}

/// What is asked of it is asked of the provider behind it.
impl Deref for Gate {
    type Target = dyn Provider;

    fn deref(&self) -> &Self::Target {
        &**self.guarded.get().unwrap_or(&self.bare)
    }
}

/// For those who take any provider: they hold the gate, and never what is behind it.
#[async_trait]
impl Provider for Gate {
    fn id(&self) -> &str {
        (**self).id()
    }

    fn default_model(&self) -> Option<&str> {
        (**self).default_model()
    }

    async fn stream(&self, request: Request) -> Result<DeltaStream, ProviderError> {
        (**self).stream(request).await
    }

    async fn models(&self) -> Result<Vec<ModelInfo>, ProviderError> {
        (**self).models().await
    }

    async fn count_tokens(&self, request: Request) -> Result<Option<u64>, ProviderError> {
        (**self).count_tokens(request).await
    }

    fn lack(&self) -> Option<String> {
        (**self).lack()
    }

    fn endpoints(&self) -> Vec<Url> {
        (**self).endpoints()
    }
}

/// The one way to a plugin's engine, for the same reason.
pub struct EngineGate {
    bare: Arc<dyn Engine>,
    guarded: OnceLock<Arc<dyn Engine>>,
}

impl EngineGate {
    pub fn new(engine: Arc<dyn Engine>) -> Arc<Self> {
        Arc::new(Self { bare: engine, guarded: OnceLock::new() })
    }

    /// From now on all turns go through what `wrap` makes of the engine. Only the first one counts.
    pub(super) fn guard(&self, wrap: impl FnOnce(Arc<dyn Engine>) -> Arc<dyn Engine>) {
        self.guarded.get_or_init(|| wrap(Arc::clone(&self.bare)));
    }

    fn engine(&self) -> &dyn Engine {
        &**self.guarded.get().unwrap_or(&self.bare)
    }
}

#[async_trait]
impl Engine for EngineGate {
    fn id(&self) -> &str {
        self.engine().id()
    }

    fn default_model(&self) -> Option<String> {
        self.engine().default_model()
    }

    async fn warm(&self, place: Place) -> Option<Thread> {
        self.engine().warm(place).await
    }

    async fn begin(&self, task: Task) -> Result<Box<dyn Run>, ProviderError> {
        self.engine().begin(task).await
    }

    async fn take_up(&self, place: Place) -> Result<Option<Box<dyn Run>>, ProviderError> {
        self.engine().take_up(place).await
    }
}
