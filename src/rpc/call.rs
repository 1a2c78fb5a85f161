//! What a handler knows of the request it answers, beside its parameters.

use jsonrpsee::types::Extensions;
use tokio_util::sync::CancellationToken;

use super::Peer;

#[derive(Clone)]
pub struct Call {
    pub peer: Peer,
    /// Fires when the client cancels the request. The connection answers for it; the handler only has to come to an
    /// end, soon, with whatever result, and to have aborted by then what it started.
    pub cancelled: CancellationToken,
    /// Fires when the answer has been given: what a handler leaves behind may speak from then on.
    pub answered: CancellationToken,
}

impl Call {
    pub(super) fn into_extensions(self) -> Extensions {
        let mut extensions = Extensions::new();
        extensions.insert(self);
        extensions
    }

    /// # Panics
    /// If the extensions are not those of a call that this crate dispatched.
    pub fn from_extensions(extensions: &Extensions) -> Self {
        extensions.get::<Self>().expect("the connection puts a call into every request").clone()
    }
}
