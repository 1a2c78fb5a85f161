//! What went wrong before there was an answer, in one sentence each.

use std::error::Error;
use std::io;
use std::time::Duration;

use reqwest::StatusCode;
use url::Url;

use crate::model::{ErrorKind, ProviderError};
use crate::policy::Redactor;

pub(super) fn host_not_allowed(host: &str) -> ProviderError {
    ProviderError::new(ErrorKind::HostNotAllowed, format!("the host {host} is not on the list of allowed hosts"))
        .with_hint(format!("add {host} to ALLOWED_HOSTS if requests may go there"))
}

pub(super) fn moved(from: &Url, status: StatusCode, to: &str) -> ProviderError {
    let message = format!("{} answered {}: moved to {to}", host(from), status.as_u16());
    ProviderError::new(ErrorKind::Protocol, message)
        .with_status(status.as_u16())
        .with_hint("set the base URL to the new place, or correct it: it may lack https or end in the wrong path")
}

pub(super) fn too_many_hops(at: &Url) -> ProviderError {
    ProviderError::new(ErrorKind::Protocol, format!("redirected too often, last to {}", host(at)))
}

pub(super) fn no_answer(url: &Url, after: Duration) -> ProviderError {
    let message = format!("{} did not begin to answer within {}", host(url), spell(after));
    ProviderError::new(ErrorKind::Timeout, message)
}

pub(super) fn idle(host: &str, after: Duration) -> ProviderError {
    ProviderError::new(ErrorKind::Timeout, format!("{host} fell silent for {} in its answer", spell(after)))
}

pub(super) fn deadline(url: &Url) -> ProviderError {
    deadline_at(&host(url))
}

pub(super) fn deadline_at(host: &str) -> ProviderError {
    ProviderError::new(ErrorKind::Timeout, format!("the time for this call ran out while waiting for {host}"))
}

pub(super) fn broken_off(host: &str, error: &reqwest::Error, redactor: &Redactor) -> ProviderError {
    let message = format!("the answer of {host} broke off: {}", cause(error, redactor));
    ProviderError::new(ErrorKind::Truncated, message)
}

/// Whether a body is not packed in the way its header says, as against one that ends in the middle.
pub(super) fn is_unreadable(error: &reqwest::Error) -> bool {
    let why = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    let is_cut_off = |why: &io::Error| {
        let of_network = why.get_ref().and_then(|inner| inner.downcast_ref::<reqwest::Error>()).is_some();
        of_network || why.kind() == io::ErrorKind::UnexpectedEof
    };
    error.is_decode() && why.is_some_and(|why| !is_cut_off(why))
}

pub(super) fn unreadable(host: &str, error: &reqwest::Error, redactor: &Redactor) -> ProviderError {
    let cause = cause(error, redactor);
    let message = format!("the answer of {host} is not compressed in the way it says: {cause}");
    ProviderError::new(ErrorKind::Protocol, message).with_hint("a proxy on the way may have changed the answer")
}

pub(super) fn too_long(host: &str, limit: usize) -> ProviderError {
    ProviderError::new(ErrorKind::Protocol, format!("the answer of {host} is longer than {limit} bytes"))
}

pub(super) fn transport(url: &Url, error: reqwest::Error, redactor: &Redactor) -> ProviderError {
    let error = error.without_url();
    let host = host(url);
    let cause = cause(&error, redactor);
    if error.is_connect() {
        let hint = match error.is_timeout() {
            true => format!("is {host} reachable from here?"),
            false => format!("is {host} right, and is it running?"),
        };
        let message = format!("could not connect to {host}: {cause}");
        return ProviderError::new(ErrorKind::Network, message).with_hint(hint);
    }
    if error.is_timeout() {
        return ProviderError::new(ErrorKind::Timeout, format!("{host} took too long: {cause}"));
    }
    if error.is_builder() {
        return ProviderError::new(ErrorKind::Config, format!("the request to {host} cannot be made: {cause}"));
    }
    ProviderError::new(ErrorKind::Network, format!("the connection to {host} broke before an answer: {cause}"))
}

pub(super) fn host(url: &Url) -> String {
    let name = url.host_str().unwrap_or("?");
    url.port().map_or_else(|| name.to_owned(), |port| format!("{name}:{port}"))
}

/// The outer layers only say that something failed; the innermost says what.
fn cause(error: &reqwest::Error, redactor: &Redactor) -> String {
    let mut innermost: &dyn Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    redactor.redact(&innermost.to_string())
}

fn spell(duration: Duration) -> String {
    format!("{} s", (duration.as_millis() as f64) / 1000.0)
}
