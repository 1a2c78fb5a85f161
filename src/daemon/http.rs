//! What HTTP asks of the daemon.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::Daemon;
use crate::api::{Figures, PluginFace, Via, Vitals};
use crate::config;
use crate::http::{self, Host, Opened};
use crate::transport::Transport;

impl Daemon {
    /// Serves what comes there until no new client is wanted any more.
    pub async fn serve_http(self: Arc<Self>, opened: Opened) {
        self.reloader.learn(&opened.token);
        self.reloader.guards(Arc::clone(&opened.guard));
        let stop = CancellationToken::new();
        let served = http::serve(Arc::clone(&self) as Arc<dyn Host>, opened, stop.clone());
        tokio::pin!(served);
        tokio::select! {
            () = &mut served => return,
            () = self.leaving.cancelled() => {}
            () = self.stop.cancelled() => {}
        }
        stop.cancel();
        served.await;
    }
}

impl Host for Daemon {
    fn serve(self: Arc<Self>, transport: Transport, via: Via) -> BoxFuture<'static, ()> {
        self.requested.notify_one();
        async move { drop(Self::serve(&self, transport, via).await) }.boxed()
    }

    fn limits(&self) -> &config::Limits {
        &self.limits
    }

    fn figures(&self) -> BoxFuture<'_, Figures> {
        self.app.figures().boxed()
    }

    fn vitals(&self) -> BoxFuture<'_, Vitals> {
        self.app.vitals().boxed()
    }

    fn plugins(&self) -> Vec<PluginFace> {
        self.app.faces()
    }

    fn session_of(&self, turn_id: &str) -> Option<String> {
        self.app.conductor.session_of(turn_id)
    }

    fn last_seq(&self, session: &str) -> u64 {
        self.app.conductor.log(session).last_seq()
    }
}
