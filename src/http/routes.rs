//! The routes, as the protocol's table has them, and who answers on each.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use axum::routing::{MethodFilter, on};

use super::connection::Shared;
use super::envelope::{self, Failure};
use super::{call, metrics, rpc, socket, stream};
use crate::protocol::{ROUTES, Route, Target, Verb, openapi};

pub fn router() -> Router {
    let router = ROUTES.iter().fold(Router::new(), |router, route| {
        let filter = match route.verb {
            Verb::Get => MethodFilter::GET,
            Verb::Post => MethodFilter::POST,
        };
        router.route(route.path, on(filter, move |request: Request| answer(route, request)))
    });
    router.fallback(not_found).method_not_allowed_fallback(wrong_method)
}

async fn answer(route: &'static Route, mut request: Request) -> Response {
    // There is no head without the rest where the rest is not an answer but a conversation.
    if request.method() == Method::HEAD && matches!(route.target, Target::Socket | Target::Rejoin) {
        let mut response = wrong_method().await;
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET"));
        return response;
    }
    let Some(shared) = request.extensions_mut().remove::<Arc<Shared>>() else {
        return Failure::gone().into_response();
    };
    let answered = match route.target {
        Target::Method(method) => call::method(&shared, method, request).await,
        Target::Stream => stream::begin(&shared, request).await,
        Target::Rejoin => stream::rejoin(&shared, request).await,
        Target::Rpc => rpc::post(&shared, request).await,
        Target::Socket => socket::upgrade(&shared, request),
        Target::Health => Ok(call::health(&shared).await),
        Target::Plugins => Ok(call::plugins(&shared)),
        Target::OpenApi => Ok(envelope::document(envelope::pretty(&openapi()))),
        Target::Metrics => Ok(metrics::answer(&shared).await),
    };
    answered.unwrap_or_else(Failure::into_response)
}

async fn not_found() -> Response {
    Failure::new(StatusCode::NOT_FOUND, "E_NOT_FOUND", "Not found")
        .with_hint("GET /openapi.json lists the routes.")
        .into_response()
}

async fn wrong_method() -> Response {
    Failure::new(StatusCode::METHOD_NOT_ALLOWED, "E_METHOD_NOT_ALLOWED", "this route is not asked in that way")
        .with_hint("GET /openapi.json lists the routes.")
        .into_response()
}
