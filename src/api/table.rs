//! The method table: name, parameters and result by the method's type, who handles it, and how it ends when cancelled.

use std::sync::Arc;

use jsonrpsee::RpcModule;
use jsonrpsee::types::{ErrorObjectOwned, Extensions, Params};
use serde_json::value::{RawValue, to_raw_value};

use super::error::ApiError;
use super::params::parse;
use super::{
    App, Connection, client_skills, codex, conductor, daemon, lifecycle, oauth, providers, sessions, skills, status,
};
use crate::protocol::{Code, Method, names};
use crate::rpc::Call;

/// What a handler has to work with.
pub struct Context {
    pub app: Arc<App>,
    pub connection: Arc<Connection>,
    pub call: Call,
}

/// What becomes of a handler whose request is cancelled.
#[derive(Clone, Copy)]
enum OnCancel {
    /// It is dropped, and whatever it was doing with it.
    Drop,
    /// It hears of it, stops what it started, and ends by itself.
    Tell,
}

/// Every method that the daemon answers.
///
/// # Panics
/// If two rows have one name.
pub fn methods(app: Arc<App>) -> RpcModule<App> {
    use OnCancel::{Drop, Tell};
    let mut table = RpcModule::from_arc(app);
    row::<names::Initialize, _>(&mut table, Drop, lifecycle::initialize);
    row::<names::Shutdown, _>(&mut table, Drop, lifecycle::shutdown);
    row::<names::ConductorMessage, _>(&mut table, Tell, conductor::message);
    row::<names::ConductorApprove, _>(&mut table, Tell, conductor::approve);
    row::<names::ConductorInterrupt, _>(&mut table, Drop, conductor::interrupt);
    row::<names::ConductorSubscribe, _>(&mut table, Drop, conductor::subscribe);
    row::<names::ConductorUnsubscribe, _>(&mut table, Drop, conductor::unsubscribe);
    row::<names::SessionsList, _>(&mut table, Drop, sessions::list);
    row::<names::SessionsGet, _>(&mut table, Drop, sessions::get);
    row::<names::SessionsMessages, _>(&mut table, Drop, sessions::messages);
    row::<names::SessionsDelete, _>(&mut table, Drop, sessions::delete);
    row::<names::SkillsList, _>(&mut table, Drop, skills::list);
    row::<names::SkillsInvoke, _>(&mut table, Drop, skills::invoke);
    row::<names::SkillsRegister, _>(&mut table, Drop, client_skills::register);
    row::<names::SkillsUnregister, _>(&mut table, Drop, client_skills::unregister);
    row::<names::ProvidersList, _>(&mut table, Drop, providers::list);
    row::<names::ProvidersModels, _>(&mut table, Drop, providers::models);
    row::<names::CodexRpc, _>(&mut table, Drop, codex::rpc);
    row::<names::CodexStatus, _>(&mut table, Drop, codex::status);
    row::<names::CodexSubscribe, _>(&mut table, Drop, codex::subscribe);
    row::<names::CodexUnsubscribe, _>(&mut table, Drop, codex::unsubscribe);
    row::<names::CodexRespond, _>(&mut table, Drop, codex::respond);
    row::<names::DeviceStart, _>(&mut table, Drop, oauth::device_start);
    row::<names::DevicePoll, _>(&mut table, Drop, oauth::device_poll);
    row::<names::DeviceCancel, _>(&mut table, Drop, oauth::device_cancel);
    row::<names::Logout, _>(&mut table, Drop, oauth::logout);
    row::<names::DaemonStatus, _>(&mut table, Drop, status::status);
    row::<names::DaemonHello, _>(&mut table, Drop, daemon::hello);
    row::<names::DaemonStop, _>(&mut table, Drop, daemon::stop);
    row::<names::DaemonReload, _>(&mut table, Drop, daemon::reload);
    row::<names::RpcDiscover, _>(&mut table, Drop, daemon::discover);
    table
}

/// An async function of a context and a method's parameters.
trait Handler<M: Method>: Clone + Send + Sync + 'static {
    fn call(self, context: Context, params: M::Params) -> impl Future<Output = Result<M::Result, ApiError>> + Send;
}

impl<M, F, Fut> Handler<M> for F
where
    M: Method,
    F: FnOnce(Context, M::Params) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<M::Result, ApiError>> + Send,
{
    fn call(self, context: Context, params: M::Params) -> impl Future<Output = Result<M::Result, ApiError>> + Send {
        self(context, params)
    }
}

fn row<M: Method + 'static, H: Handler<M>>(table: &mut RpcModule<App>, on_cancel: OnCancel, handler: H)
where
    M::Params: Send,
{
    let entry = move |params: Params<'static>, app: Arc<App>, extensions: Extensions| {
        let handler = handler.clone();
        async move { answer::<M, H>(handler, on_cancel, &params, app, &extensions).await }
    };
    table.register_async_method(M::NAME, entry).expect("every name stands in the table once");
}

async fn answer<M: Method, H: Handler<M>>(
    handler: H,
    on_cancel: OnCancel,
    params: &Params<'_>,
    app: Arc<App>,
    extensions: &Extensions,
) -> Result<Box<RawValue>, ErrorObjectOwned> {
    let call = Call::from_extensions(extensions);
    let connection = Connection::from_extensions(extensions);
    let (cancelled, closing) = (call.cancelled.clone(), call.peer.closing().clone());
    let work = async {
        let params = parse::<M::Params>(params.as_str())?;
        handler.call(Context { app, connection, call }, params).await
    };
    let result = match on_cancel {
        OnCancel::Tell => work.await,
        OnCancel::Drop => tokio::select! {
            biased;
            result = work => result,
            () = cancelled.cancelled() => Err(ApiError::new(Code::Cancelled, "the request was cancelled")),
            () = closing.cancelled() => Err(ApiError::new(Code::ShuttingDown, "the connection ends")),
        },
    };
    let result = result.map_err(|error| error.into_object(M::NAME))?;
    Ok(to_raw_value(&result).expect("wire types are made of JSON values"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::*;
    use crate::api::{Facts, Setup};
    use crate::helm::{Conductor, Routes, Settings};
    use crate::plugins::load;
    use crate::protocol::request_names;
    use crate::sessions::Sqlite;
    use crate::skills::Registry;

    #[tokio::test]
    async fn every_request_of_the_protocol_has_its_row() {
        let directory = tempfile::TempDir::new().expect("a temporary directory");
        let (store, _) = Sqlite::open_or_retry(&directory.path().join("sessions.db")).expect("it opens");
        let settings = Settings {
            history_tokens: 1,
            tool_result_bytes: 1,
            approval_timeout: Duration::ZERO,
            queued_turns: 1,
            buffered_events: 1,
        };
        let routes = Routes::new(Vec::new());
        let conductor = Conductor::open(Arc::new(store), Arc::new(Registry::default()), routes, settings).await;
        let facts = Facts {
            version: "",
            build: String::new(),
            started_at: 0,
            frame_bytes: 0,
            header_bytes: 0,
            idle_timeout: Duration::ZERO,
            config_file: Default::default(),
            state_dir: Default::default(),
            log_file: Default::default(),
        };
        let loaded = load(&Default::default(), None).expect("the defaults are good");
        let setup = Setup {
            plugins: Vec::new(),
            local_servers: loaded.local_servers,
            codex: loaded.codex,
            children: Default::default(),
            allowed_hosts: Vec::new(),
            confirm_dangerous: true,
            redact: Arc::new(|_| {}),
        };
        let table = methods(App::new(conductor, loaded.meter, setup, facts));
        let rows: BTreeSet<String> = table.method_names().map(str::to_owned).collect();
        assert_eq!(rows, BTreeSet::from_iter(request_names()));
    }
}
