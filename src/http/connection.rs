//! One connection of HTTP: its limits, and the guard before everything else.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, StatusCode, header};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::envelope::{self, Failure, REQUEST_ID};
use super::guard::{Guard, is_preflight};
use super::patient::Patient;
use super::places::Place;
use super::stream::Begun;
use super::{Host, routes};

/// For the head of a request to be whole, and between two requests; for the handshake of TLS too.
const HEAD: Duration = Duration::from_secs(15);

/// What a head may be in bytes, whatever frames may.
const MIN_HEAD: usize = 8 * 1024;
const MAX_HEAD: usize = 64 * 1024;

/// What a body may be in bytes, whatever frames may: it is whole in memory, several times over, and there are many
/// connections.
const MAX_BODY: usize = 4 * 1024 * 1024;

/// What all connections share.
pub struct Shared {
    pub host: Arc<dyn Host>,
    pub stop: CancellationToken,
    /// WebSockets, which outlive their requests.
    pub tracker: TaskTracker,
    guard: Arc<Guard>,
    begun: Mutex<Begun>,
    router: Router,
}

impl Shared {
    pub fn new(host: Arc<dyn Host>, guard: Arc<Guard>, tracker: TaskTracker, stop: CancellationToken) -> Arc<Self> {
        let router = routes::router();
        Arc::new(Self { host, stop, tracker, guard, begun: Mutex::default(), router })
    }

    /// The streams that were begun here.
    pub fn begun(&self) -> MutexGuard<'_, Begun> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the body of a request may be.
    pub fn body_bytes(&self) -> usize {
        self.host.limits().frame_bytes.min(MAX_BODY)
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>, place: Arc<Place>) -> Response {
        let (mut head, body) = request.into_parts();
        if let Err(refusal) = self.guard.check(&head) {
            // Of the request nothing: there may be a token in it.
            tracing::info!(?refusal, "a request over HTTP was refused");
            return Failure::from(refusal).into_response();
        }
        let origin = self.guard.origin(&head.headers).and_then(|origin| HeaderValue::try_from(origin).ok());
        let mut response = if is_preflight(&head) {
            preflight()
        } else {
            place.prove();
            head.extensions.insert(Arc::clone(&self));
            // A WebSocket keeps it.
            head.extensions.insert(place);
            let service = TowerToHyperService::new(self.router.clone());
            match service.call(Request::from_parts(head, Body::new(body))).await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        };
        let headers = response.headers_mut();
        if !headers.contains_key(REQUEST_ID)
            && let Ok(id) = HeaderValue::try_from(format!("req_{}", Uuid::new_v4().simple()))
        {
            headers.insert(REQUEST_ID, id);
        }
        if let Some(origin) = origin {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(header::VARY, HeaderValue::from_static("origin"));
        }
        response
    }
}

/// To a page that is listed.
fn preflight() -> Response {
    let mut response = envelope::empty(StatusCode::NO_CONTENT);
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
    let allowed = HeaderValue::from_static("authorization, content-type, last-event-id");
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed);
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    response
}

pub async fn serve(stream: TcpStream, tls: Option<TlsAcceptor>, shared: Arc<Shared>, place: Place) {
    let Some(tls) = tls else { return serve_stream(stream, shared, place).await };
    let evicted = place.evicted.clone();
    let stream = tokio::select! {
        () = evicted.cancelled() => return,
        stream = timeout(HEAD, tls.accept(stream)) => stream,
    };
    match stream {
        Ok(Ok(stream)) => serve_stream(stream, shared, place).await,
        Ok(Err(error)) => tracing::debug!(%error, "a handshake failed"),
        Err(_) => tracing::debug!("a handshake took too long"),
    }
}

async fn serve_stream<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
    stream: S,
    shared: Arc<Shared>,
    place: Place,
) {
    let limits = shared.host.limits();
    let (evicted, stop, place) = (place.evicted.clone(), shared.stop.clone(), Arc::new(place));
    let stream = TokioIo::new(Patient::new(stream, limits.write_timeout));
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD);
    builder.max_buf_size(limits.header_bytes.clamp(MIN_HEAD, MAX_HEAD));
    let service = service_fn(move |request| {
        let (shared, place) = (Arc::clone(&shared), Arc::clone(&place));
        async move { Ok::<_, Infallible>(shared.answer(request, place).await) }
    });
    let connection = builder.serve_connection(stream, service).with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = evicted.cancelled() => return,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection over HTTP broke");
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use futures_util::future::{BoxFuture, join, pending};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::time::{Instant, sleep};

    use super::super::places::Places;
    use super::*;
    use crate::api::{Figures, PluginFace, Via, Vitals};
    use crate::config::{Limits, Secret};
    use crate::transport::Transport;

    /// Whoever has no token does not get this far.
    #[derive(Default)]
    struct Nobody(Limits);

    impl Host for Nobody {
        fn serve(self: Arc<Self>, _: Transport, _: Via) -> BoxFuture<'static, ()> {
            pending().boxed()
        }

        fn limits(&self) -> &Limits {
            &self.0
        }

        fn figures(&self) -> BoxFuture<'_, Figures> {
            pending().boxed()
        }

        fn vitals(&self) -> BoxFuture<'_, Vitals> {
            pending().boxed()
        }

        fn plugins(&self) -> Vec<PluginFace> {
            Vec::new()
        }

        fn session_of(&self, _: &str) -> Option<String> {
            None
        }

        fn last_seq(&self, _: &str) -> u64 {
            0
        }
    }

    fn serve_one(stream: DuplexStream) -> impl Future<Output = ()> {
        let guard = Guard::new(Secret::new("token"), "127.0.0.1:7878".parse().unwrap(), false, &[], &[]);
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        let shared = Shared::new(Arc::new(Nobody::default()), Arc::new(guard), tracker, stop);
        serve_stream(stream, shared, Places::new(1).take().unwrap())
    }

    /// What is answered to one who says this and no more, and when it is hung up on, in seconds.
    async fn silent_after(said: &str) -> (String, u64) {
        let (ours, mut theirs) = duplex(MIN_HEAD);
        let begun = Instant::now();
        theirs.write_all(said.as_bytes()).await.unwrap();
        let mut answer = String::new();
        join(serve_one(ours), theirs.read_to_string(&mut answer)).await.1.unwrap();
        (answer, begun.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn who_says_half_of_a_head_and_no_more_is_hung_up_on() {
        for said in ["", "G", "GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: "] {
            assert_eq!(silent_after(said).await, (String::new(), HEAD.as_secs()), "{said:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_says_nothing_more_after_an_answer_is_hung_up_on() {
        let (answer, seconds) = silent_after("GET /health HTTP/1.1\r\nHost: 127.0.0.1:7878\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
        assert_eq!(seconds, HEAD.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_has_its_time_as_a_whole() {
        let (ours, mut theirs) = duplex(MIN_HEAD);
        let begun = Instant::now();
        let drip = async {
            // Until nobody listens any more.
            while theirs.write_all(b"G").await.is_ok() {
                sleep(Duration::from_secs(1)).await;
            }
        };
        join(serve_one(ours), drip).await;
        assert!(begun.elapsed() < HEAD + Duration::from_secs(2), "{:?}", begun.elapsed());
    }
}
