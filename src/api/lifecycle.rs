//! `initialize` and `shutdown`.

use super::connection::Via;
use super::error::ApiError;
use super::table::Context;
use crate::protocol::{
    Code, Empty, InitializeParams, InitializeResult, ServerCapabilities, ServerInfo, VERSION, request_names,
};

pub async fn initialize(context: Context, params: InitializeParams) -> Result<InitializeResult, ApiError> {
    let mut client = context.connection.client();
    if client.introduced {
        return Err(ApiError::new(Code::InvalidRequest, "'initialize' has been answered before on this connection"));
    }
    if let Some(wanted) = params.protocol_version.as_ref().and_then(|version| version.as_str()) {
        check_version(wanted)?;
    }
    client.introduced = true;
    client.capabilities = params.capabilities;
    client.info = params.client_info;
    if let Some(info) = &client.info {
        tracing::info!(name = info.name, version = info.version, "a client");
    }
    drop(client);
    if let Some(options) = params.initialization_options {
        context.connection.told.tell_options(options);
    }
    // A client that came on another way did not start us, and its process may be in another container.
    if let (Some(pid), Via::Stdio) = (params.process_id, context.connection.via) {
        context.app.parent_is(pid);
    }
    let capabilities = ServerCapabilities {
        protocol_version: VERSION.to_owned(),
        methods: request_names(),
        modes: ["propose", "selective", "auto"].map(str::to_owned).to_vec(),
    };
    let server_info = ServerInfo { name: "open-think".to_owned(), version: context.app.facts.version.to_owned() };
    Ok(InitializeResult { capabilities, server_info })
}

pub async fn shutdown(context: Context, _: Empty) -> Result<(), ApiError> {
    context.connection.shut_down();
    Ok(())
}

/// A client of another major version is told at once; versions that are not ours to read are let pass.
fn check_version(wanted: &str) -> Result<(), ApiError> {
    let major = |version: &str| version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    match (major(wanted), major(VERSION)) {
        (Some(theirs), Some(ours)) if theirs != ours && theirs < 1000 => {
            let message = format!("the client speaks protocol {wanted}, this daemon {VERSION}");
            Err(ApiError::new(Code::InvalidRequest, message).with_hint("Update the older of the two."))
        }
        _ => Ok(()),
    }
}
