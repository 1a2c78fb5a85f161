//! A method's name, its parameter type and its result type, tied together.

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{
    ApprovalAnswer, ApprovalParams, ApprovalResolvedParams, ApproveParams, CancelParams, CodexLostParams,
    CodexNotificationParams, CodexRequestParams, CodexRequestResolvedParams, CodexRespondParams, CodexRespondResult,
    CodexRpcParams, CodexRpcResult, CodexStatusParams, CodexStatusResult, CodexSubscribeParams, CodexSubscribeResult,
    CodexUnsubscribeParams, DeviceCancelResult, DevicePollParams, DevicePollResult, DeviceStartResult, Empty,
    EventParams, HelloParams, HelloResult, InitializeParams, InitializeResult, InterruptParams, InterruptResult,
    LogoutResult, MessageParams, MessageResult, ProgressParams, ProvidersListResult, ProvidersModelsParams,
    ProvidersModelsResult, ReloadResult, ReloadedParams, SessionDeleteResult, SessionDetail, SessionMessagesParams,
    SessionMessagesResult, SessionParams, SessionsListResult, SkillCallParams, SkillCallResult, SkillInvokeParams,
    SkillInvokeResult, SkillsListResult, SkillsRegisterParams, SkillsRegisteredResult, SkillsUnregisterParams,
    StatusParams, StatusResult, StopParams, StopResult, SubscribeParams, SubscribeResult, UnsubscribeParams,
};

/// A request.
pub trait Method {
    const NAME: &'static str;
    /// One sentence, for the schema and `rpc.discover`.
    const SUMMARY: &'static str;
    const SIDE: Side = Side::Daemon;
    /// The version of the protocol that brought it.
    const SINCE: &'static str = "1.0";
    type Params: DeserializeOwned + Serialize + JsonSchema;
    type Result: Serialize + DeserializeOwned + JsonSchema;
}

/// A message that is not answered.
pub trait Notification {
    const NAME: &'static str;
    const SUMMARY: &'static str;
    const SIDE: Side;
    const SINCE: &'static str = "1.0";
    type Params: DeserializeOwned + Serialize + JsonSchema;
}

/// Who handles it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Daemon,
    Client,
    Both,
}

macro_rules! methods {
    ($($type:ident $name:literal ($params:ty) -> $result:ty $(, $side:expr)?; $summary:literal)*) => {
    $(
        pub enum $type {}
        impl Method for $type {
            const NAME: &'static str = $name;
            const SUMMARY: &'static str = $summary;
            $(const SIDE: Side = $side;)?
            type Params = $params;
            type Result = $result;
        }
    )*
        /// Every request, in the order above.
        pub fn requests(generator: &mut SchemaGenerator) -> Vec<MethodSchema> {
            vec![$(MethodSchema::of_request::<$type>(generator)),*]
        }

        /// The requests that one side answers.
        pub fn request_names(side: Side) -> Vec<&'static str> {
            let all = [$(($type::NAME, $type::SIDE)),*];
            all.into_iter().filter(|(_, answered_by)| *answered_by == side).map(|(name, _)| name).collect()
        }
    };
}

macro_rules! notifications {
    ($($type:ident $name:literal ($params:ty), $side:expr; $summary:literal)*) => {
    $(
        pub enum $type {}
        impl Notification for $type {
            const NAME: &'static str = $name;
            const SUMMARY: &'static str = $summary;
            const SIDE: Side = $side;
            type Params = $params;
        }
    )*
        /// Every notification, in the order above.
        pub fn notifications(generator: &mut SchemaGenerator) -> Vec<MethodSchema> {
            vec![$(MethodSchema::of_notification::<$type>(generator)),*]
        }
    };
}

/// One type a method, named like it; no other list of them is kept in here.
pub mod names {
    use schemars::SchemaGenerator;

    use super::super::schema::MethodSchema;
    use super::{
        ApprovalAnswer, ApprovalParams, ApprovalResolvedParams, ApproveParams, CancelParams, CodexLostParams,
        CodexNotificationParams, CodexRequestParams, CodexRequestResolvedParams, CodexRespondParams,
        CodexRespondResult, CodexRpcParams, CodexRpcResult, CodexStatusParams, CodexStatusResult, CodexSubscribeParams,
        CodexSubscribeResult, CodexUnsubscribeParams, DeviceCancelResult, DevicePollParams, DevicePollResult,
        DeviceStartResult, Empty, EventParams, HelloParams, HelloResult, InitializeParams, InitializeResult,
        InterruptParams, InterruptResult, LogoutResult, MessageParams, MessageResult, Method, Notification,
        ProgressParams, ProvidersListResult, ProvidersModelsParams, ProvidersModelsResult, ReloadResult,
        ReloadedParams, SessionDeleteResult, SessionDetail, SessionMessagesParams, SessionMessagesResult,
        SessionParams, SessionsListResult, Side, SkillCallParams, SkillCallResult, SkillInvokeParams,
        SkillInvokeResult, SkillsListResult, SkillsRegisterParams, SkillsRegisteredResult, SkillsUnregisterParams,
        StatusParams, StatusResult, StopParams, StopResult, SubscribeParams, SubscribeResult, UnsubscribeParams,
    };

    methods! {
        Initialize "initialize" (InitializeParams) -> InitializeResult;
            "Introduces the client. Optional; at most once, and answered at once."
        Shutdown "shutdown" (Empty) -> ();
            "Announces the end of the connection; only `exit` may follow."
        ConductorMessage "conductor.message" (MessageParams) -> MessageResult;
            "Says something to Helm and answers with the end of the turn."
        ConductorApprove "conductor.approve" (ApproveParams) -> MessageResult;
            "Decides held or suggested actions and goes on with the turn they belong to."
        ConductorInterrupt "conductor.interrupt" (InterruptParams) -> InterruptResult;
            "Stops the running turn of a session; whoever waits for it gets a result with stop reason `cancelled`."
        ConductorSubscribe "conductor.subscribe" (SubscribeParams) -> SubscribeResult;
            "Sends this client the events of a session: what is buffered after `afterSeq`, then live."
        ConductorUnsubscribe "conductor.unsubscribe" (UnsubscribeParams) -> Empty;
            "Ends a subscription."
        SessionsList "sessions.list" (Empty) -> SessionsListResult;
            "Lists the sessions, the one used last first."
        SessionsGet "sessions.get" (SessionParams) -> SessionDetail;
            "Tells of one session, with its held actions."
        SessionsMessages "sessions.messages" (SessionMessagesParams) -> SessionMessagesResult;
            "Gives the messages of a session in order, the newest `limit` of them."
        SessionsDelete "sessions.delete" (SessionParams) -> SessionDeleteResult;
            "Deletes a session with its messages and actions, for good."
        SkillsList "skills.list" (Empty) -> SkillsListResult;
            "Lists the skills on offer."
        SkillsInvoke "skills.invoke" (SkillInvokeParams) -> SkillInvokeResult;
            "Runs one skill, without a model."
        SkillsRegister "skills.register" (SkillsRegisterParams) -> SkillsRegisteredResult;
            "Offers what this client can do as skills, until it leaves. For clients that announced `skills`, after `initialized`."
        SkillsUnregister "skills.unregister" (SkillsUnregisterParams) -> SkillsRegisteredResult;
            "Takes skills back that this client has registered."
        ProvidersList "providers.list" (Empty) -> ProvidersListResult;
            "Lists the ways to a model: which are enabled, which are configured, and how to set up the rest."
        ProvidersModels "providers.models" (ProvidersModelsParams) -> ProvidersModelsResult;
            "Lists the models of one provider."
        CodexRpc "codex.rpc" (CodexRpcParams) -> CodexRpcResult;
            "Calls any method of the Codex app-server and answers with its result, untouched."
        CodexStatus "codex.status" (CodexStatusParams) -> CodexStatusResult;
            "Tells how the connection to the Codex app-server stands, and what stands in the way."
        CodexSubscribe "codex.subscribe" (CodexSubscribeParams) -> CodexSubscribeResult;
            "Sends this client what the Codex app-server tells and asks: of one thread, or of all."
        CodexUnsubscribe "codex.unsubscribe" (CodexUnsubscribeParams) -> Empty;
            "Ends such a subscription."
        CodexRespond "codex.respond" (CodexRespondParams) -> CodexRespondResult;
            "Answers a question of the Codex app-server's; the first answer counts."
        DeviceStart "oauth.codex.deviceStart" (Empty) -> DeviceStartResult;
            "Begins a sign-in to ChatGPT by device code: says where to go and what to type in there."
        DevicePoll "oauth.codex.devicePoll" (DevicePollParams) -> DevicePollResult;
            "Tells how far that sign-in is. What comes of it is kept by the daemon, or by the app-server."
        DeviceCancel "oauth.codex.deviceCancel" (DevicePollParams) -> DeviceCancelResult;
            "Gives up a sign-in that goes on."
        Logout "oauth.codex.logout" (Empty) -> LogoutResult;
            "Deletes the daemon's own sign-in to ChatGPT, and asks the issuer to revoke it."
        DaemonStatus "daemon.status" (StatusParams) -> StatusResult;
            "Tells of this process: version, clients, running turns, paths."
        DaemonHello "daemon.hello" (HelloParams) -> HelloResult;
            "Tells what stands at each end of a connection: program, build, process. The first request of a shim."
        DaemonStop "daemon.stop" (StopParams) -> StopResult;
            "Ends the shared daemon: if it is idle, when what runs has come to its end, or now."
        DaemonReload "daemon.reload" (Empty) -> ReloadResult;
            "Reads the configuration file again. What is wrong with it is the error, and the one before it stays in use."
        RpcDiscover "rpc.discover" (Empty) -> serde_json::Value;
            "Gives the OpenRPC document of this daemon."
        Approval "conductor.approval" (ApprovalParams) -> ApprovalAnswer, Side::Client;
            "Asks the user about held actions. Sent only to clients that announced `approvals`; no answer means held."
        SkillsCall "skills.call" (SkillCallParams) -> SkillCallResult, Side::Client;
            "Runs a skill that this client has registered. `$/cancelRequest` says that nobody waits for it any more."
    }

    notifications! {
        Initialized "initialized" (Empty), Side::Daemon;
            "The client is ready for requests from the daemon."
        Exit "exit" (Empty), Side::Daemon;
            "Ends the connection: with code 0 after `shutdown`, else 1."
        CancelRequest "$/cancelRequest" (CancelParams), Side::Both;
            "Cancels a request; one of the client's is then answered with error -32800."
        ConductorEvent "conductor.event" (EventParams), Side::Client;
            "Something happened in a session. Sequence numbers of one session have no holes."
        ApprovalResolved "conductor.approvalResolved" (ApprovalResolvedParams), Side::Client;
            "An approval that this client was asked for has been settled elsewhere."
        DaemonReloaded "daemon.reloaded" (ReloadedParams), Side::Client;
            "The configuration file was read again, because it changed or somebody asked for it."
        CodexNotification "codex.notification" (CodexNotificationParams), Side::Client;
            "The Codex app-server tells something. Comes for threads that this client started or subscribed to."
        CodexLost "codex.lost" (CodexLostParams), Side::Client;
            "This client read too slowly: so many notifications of the Codex app-server's are missing here. Read the thread anew."
        CodexRequest "codex.request" (CodexRequestParams), Side::Client;
            "The Codex app-server asks something: answer it with `codex.respond`. No answer means no."
        CodexRequestResolved "codex.requestResolved" (CodexRequestResolvedParams), Side::Client;
            "A question of the Codex app-server's that this client was told of is settled."
        Progress "$/progress" (ProgressParams), Side::Client;
            "Progress of a request that carried a `workDoneToken`."
    }
}
