//! Spans of turns, calls of models and calls of skills, to an OpenTelemetry collector where one is configured.
//!
//! They are batched, and dropped where they come faster than they go: nothing waits for the collector. They go out through
//! the one guarded client, so that the collector's host must be allowed as any other. What is logged never goes there.

use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{Bytes, HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use reqwest::header::{HeaderName, HeaderValue};
use tokio::runtime::Handle;
use tokio::time::Instant;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;
use url::Url;

use crate::config;
use crate::providers::http::{Http, HttpRequest};

/// Of the spans that are exported; what is logged has others.
const TARGET: &str = "open_think::telemetry";

/// How long the collector may take for a batch, and the last batch when the daemon stops.
const EXPORT: Duration = Duration::from_secs(10);
const FLUSH: Duration = Duration::from_secs(2);

/// Nothing in its answer matters.
const ANSWER: usize = 64 * 1024;

/// A process has one, as it has one log.
static CURRENT: OnceLock<Telemetry> = OnceLock::new();

pub struct Telemetry {
    tracer: SdkTracerProvider,
    outlet: Arc<Outlet>,
}

/// Where batches go out, once the daemon is open.
#[derive(Default)]
struct Outlet(RwLock<Option<(Http, Handle)>>);

#[derive(Clone)]
struct Collector {
    url: Url,
    headers: Vec<(HeaderName, HeaderValue)>,
    outlet: Arc<Outlet>,
}

/// The layer of this process, if a collector is configured; the first time alone.
pub fn layer<S>(settings: &config::Telemetry) -> Option<impl Layer<S> + use<S>>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let telemetry = Telemetry::new(settings)?;
    let layer = telemetry.layer();
    CURRENT.set(telemetry).ok()?;
    Some(layer)
}

/// From now on what was batched goes out through this client. Called within the runtime that serves.
pub fn connect(http: &Http) {
    if let Some(telemetry) = CURRENT.get() {
        telemetry.connect(http);
    }
}

/// What is left goes out, if the collector takes it in time.
pub async fn flush() {
    if let Some(telemetry) = CURRENT.get() {
        telemetry.flush().await;
    }
}

impl Telemetry {
    pub fn new(settings: &config::Telemetry) -> Option<Self> {
        let outlet = Arc::<Outlet>::default();
        let collector = Collector {
            url: traces(settings.endpoint.as_ref()?),
            headers: settings.headers.as_ref().map(|headers| parse(headers.expose())).unwrap_or_default(),
            outlet: Arc::clone(&outlet),
        };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_endpoint(collector.url.as_str())
            .with_protocol(Protocol::HttpJson)
            .with_timeout(EXPORT)
            .with_http_client(collector)
            .build()
            .inspect_err(|error| tracing::warn!(%error, "spans cannot be exported"))
            .ok()?;
        let resource = Resource::builder_empty()
            .with_service_name(settings.service_name.clone())
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let tracer = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
        Some(Self { tracer, outlet })
    }

    /// Takes the spans of this program's own alone, and no event: those are what is logged.
    pub fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.tracer.tracer("open-think"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(filter_fn(|metadata| metadata.is_span() && metadata.target() == TARGET))
    }

    pub fn connect(&self, http: &Http) {
        let runtime = Handle::current();
        *self.outlet.0.write().unwrap_or_else(PoisonError::into_inner) = Some((http.clone(), runtime));
    }

    pub async fn flush(&self) {
        let tracer = self.tracer.clone();
        // It waits for the exporter's thread, which waits for this runtime.
        let flushed = tokio::task::spawn_blocking(move || tracer.force_flush());
        if !matches!(tokio::time::timeout(FLUSH, flushed).await, Ok(Ok(Ok(())))) {
            tracing::warn!("the last spans could not be exported");
        }
    }
}

/// As the specification of the exporter has it: the endpoint is a base.
fn traces(endpoint: &Url) -> Url {
    let mut url = endpoint.clone();
    let path = format!("{}/v1/traces", url.path().trim_end_matches('/'));
    url.set_path(&path);
    url
}

/// `name=value` pairs. What is no header is left out, for there is nobody to tell without quoting it.
fn parse(pairs: &str) -> Vec<(HeaderName, HeaderValue)> {
    let header = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        // As a query it would have a plus for a space; here it stands for itself.
        let query = format!("v={}", value.trim().replace('+', "%2B"));
        let (_, value) = url::form_urlencoded::parse(query.as_bytes()).next()?;
        let mut value = HeaderValue::try_from(value.as_ref()).ok()?;
        value.set_sensitive(true);
        Some((HeaderName::try_from(name.trim()).ok()?, value))
    };
    pairs.split(',').filter_map(header).collect()
}

impl std::fmt::Debug for Collector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Collector({})", self.url)
    }
}

#[async_trait]
impl HttpClient for Collector {
    /// Called on the exporter's own thread.
    async fn send_bytes(
        &self,
        request: opentelemetry_http::Request<Bytes>,
    ) -> Result<opentelemetry_http::Response<Bytes>, HttpError> {
        let outlet = self.outlet.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        let (http, runtime) = outlet.ok_or("the daemon is not open yet")?;
        let mut sent = HttpRequest::post_json(self.url.clone(), request.into_body());
        sent.headers.extend(self.headers.iter().cloned());
        let sent = sent.confined();
        let answer = runtime.spawn(async move {
            let answer = http.send(sent.deadline(Some(Instant::now() + EXPORT))).await?;
            let status = answer.status;
            Ok::<_, crate::model::ProviderError>((status, answer.bytes(ANSWER).await?))
        });
        let (status, body) = answer.await??;
        Ok(opentelemetry_http::Response::builder().status(status).body(body.into())?)
    }
}
