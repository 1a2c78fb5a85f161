//! The issuer in both dialects, and the sign-in in use, against a server that plays a script.

use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::issuer::{Dialect, Endpoints, Issuer};
use super::own::OwnLogin;
use super::store::{Kept, Store};
use super::wire::Polled;
use crate::config::{self, Secret};
use crate::model::{ErrorKind, ProviderError};
use crate::providers::codex::token_of;
use crate::providers::http::Http;
use crate::providers::loopback::{Answer, Loopback, http};

fn client(server: &Loopback) -> Http {
    http(&[server], config::Http { max_retries: 0, ..config::Http::default() })
}

fn path(request: &str) -> &str {
    request.split(' ').nth(1).expect("a path")
}

fn body(request: &str) -> &str {
    request.split_once("\r\n\r\n").expect("a body").1
}

fn paths(server: &Loopback) -> Vec<String> {
    server.asked().iter().map(|request| path(request).to_owned()).collect()
}

fn answer(status: u16, body: &Value) -> Answer {
    Answer::json(status, "", &body.to_string())
}

/// The same for the whole run, so that tokens made alike are alike.
fn now() -> u64 {
    static START: LazyLock<u64> = LazyLock::new(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs());
    *START
}

/// An access token that holds for so many seconds from now.
fn access(name: &str, seconds: i64) -> String {
    let own = json!({ "chatgpt_account_id": "acct-1", "chatgpt_plan_type": "pro" });
    token_of(&json!({ "jti": name, "exp": now().saturating_add_signed(seconds), "https://api.openai.com/auth": own }))
}

fn tokens(name: &str) -> Value {
    json!({ "access_token": access(name, 3600), "refresh_token": format!("rt-{name}"), "id_token": "id-secret" })
}

#[tokio::test]
async fn the_flow_of_openai_asks_where_it_does() {
    let code =
        json!({ "device_auth_id": "deviceauth_1", "user_code": "ABCD-12345", "interval": "1", "expires_at": "2026" });
    let permit = json!({ "authorization_code": "ac-secret", "code_challenge": "x", "code_verifier": "cv-secret" });
    let script = vec![
        answer(200, &code),
        answer(403, &json!({ "error": { "code": "deviceauth_authorization_unknown" } })),
        answer(502, &json!({})),
        answer(200, &permit),
        answer(503, &json!({ "error": "it is busy with ac-secret and cv-secret" })),
        answer(200, &tokens("1")),
    ];
    let server = Loopback::start(script).await;
    let issuer = Issuer::new(&client(&server), server.url.clone());
    let mut pending = issuer.begin("app_1").await.unwrap();
    assert_eq!(pending.user_code(), "ABCD-12345");
    assert_eq!(pending.page(), &server.url.join("codex/device").unwrap());
    assert_eq!((pending.interval(), pending.lifetime()), (Duration::from_secs(1), Duration::from_secs(900)));
    assert!(matches!(issuer.poll(&mut pending).await, Polled::Pending));
    assert!(matches!(issuer.poll(&mut pending).await, Polled::Unreachable(_)));
    let Polled::Unreachable(error) = issuer.poll(&mut pending).await else { panic!("the exchange failed") };
    assert_eq!(error.message, "the sign-in answered 503: it is busy with *** and ***");
    let Polled::Tokens(grant) = issuer.poll(&mut pending).await else { panic!("there are tokens") };
    assert_eq!(grant.refresh.unwrap().expose(), "rt-1");
    let asked = server.asked();
    let (usercode, token) = ("/api/accounts/deviceauth/usercode", "/api/accounts/deviceauth/token");
    assert_eq!(paths(&server), [usercode, token, token, token, "/oauth/token", "/oauth/token"]);
    assert_eq!(body(&asked[0]), r#"{"client_id":"app_1"}"#);
    assert_eq!(body(&asked[1]), r#"{"device_auth_id":"deviceauth_1","user_code":"ABCD-12345"}"#);
    let callback: String =
        url::form_urlencoded::byte_serialize(server.url.join("deviceauth/callback").unwrap().as_str().as_bytes())
            .collect();
    let form = format!(
        "grant_type=authorization_code&client_id=app_1&code=ac-secret&redirect_uri={callback}&code_verifier=cv-secret"
    );
    assert_eq!(body(&asked[5]), form);
    assert!(asked[5].contains("content-type: application/x-www-form-urlencoded\r\n"));
}

#[tokio::test]
async fn another_issuer_is_asked_where_its_flow_is() {
    // It has to name its own address, so the script is made for a server that is there already.
    let code = json!({
        "device_code": "dc-secret", "user_code": "WDJB", "verification_uri": "https://a.example/device",
        "expires_in": 600, "interval": 7,
    });
    let later = Loopback::start(vec![
        answer(200, &code),
        answer(400, &json!({ "error": "authorization_pending" })),
        answer(400, &json!({ "error": "slow_down" })),
        answer(400, &json!({ "error": "invalid_client", "error_description": "no dc-secret here" })),
        answer(400, &json!({ "error": "access_denied" })),
        answer(404, &json!({})),
        answer(200, &tokens("1")),
    ])
    .await;
    let at = |path: &str| later.url.join(path).unwrap();
    let metadata = json!({
        "device_authorization_endpoint": at("device"), "token_endpoint": at("token"), "revocation_endpoint": at("revoke"),
    });
    let first = Loopback::start(vec![answer(404, &json!({})), answer(404, &json!({})), answer(200, &metadata)]).await;
    let issuer = Issuer::new(&http(&[&first, &later], config::Http::default()), first.url.clone());
    let mut pending = issuer.begin("app_1").await.unwrap();
    assert_eq!((pending.user_code(), pending.page().as_str()), ("WDJB", "https://a.example/device"));
    assert_eq!(paths(&first)[1..], ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"]);
    assert!(matches!(issuer.poll(&mut pending).await, Polled::Pending));
    assert!(matches!(issuer.poll(&mut pending).await, Polled::SlowDown));
    let Polled::Refused(error) = issuer.poll(&mut pending).await else { panic!("it is refused") };
    assert!(!error.message.contains("dc-secret") && error.message.contains("no *** here"), "{error}");
    assert!(matches!(issuer.poll(&mut pending).await, Polled::Denied));
    assert!(matches!(issuer.poll(&mut pending).await, Polled::Refused(_)), "404 is no word of this dialect");
    assert!(matches!(issuer.poll(&mut pending).await, Polled::Tokens(_)));
    let asked = later.asked();
    assert!(body(&asked[0]).starts_with("client_id=app_1&scope=openid+profile+email+offline_access"), "{}", asked[0]);
    let grant =
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code=dc-secret&client_id=app_1";
    assert_eq!((path(&asked[1]), body(&asked[1])), ("/token", grant));
}

#[tokio::test]
async fn an_issuer_without_a_device_flow_is_named() {
    let server = Loopback::start(vec![answer(404, &json!({}))]).await;
    let error = Issuer::new(&client(&server), server.url.clone()).begin("app_1").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Config);
    assert!(error.message.contains("offers no sign-in by device code"), "{error}");
    let refused = Loopback::start(vec![answer(401, &json!({ "error": "invalid_client" }))]).await;
    let error = Issuer::new(&client(&refused), refused.url.clone()).begin("app_1").await.unwrap_err();
    assert_eq!((error.status, error.hint.as_deref()), (Some(401), Some("check CODEX_OAUTH_CLIENT_ID")));
}

/// A sign-in whose access token holds for so many seconds more, and was given out long ago.
async fn sign_in(directory: &Path, server: &Loopback, access_token: &str) -> Arc<OwnLogin> {
    let at = |path: &str| server.url.join(path).unwrap();
    let claims = crate::providers::codex::Tokens::new(Secret::new(access_token), None, None);
    let kept = Kept {
        issuer: server.url.clone(),
        client_id: "app_1".to_owned(),
        endpoints: Endpoints { token: at("oauth/token"), revoke: Some(at("oauth/revoke")), dialect: Dialect::OpenAi },
        access: Secret::new(access_token),
        id: None,
        refresh: Some(Secret::new("rt-secret-0")),
        expires_at: claims.expires_at,
        obtained_at: now() - 7200,
        ended: None,
    };
    let store = Store::new(directory);
    store.write(&kept, &store.lock().await.unwrap()).unwrap();
    own(directory, server)
}

fn own(directory: &Path, server: &Loopback) -> Arc<OwnLogin> {
    OwnLogin::new(&client(server), server.url.clone(), directory)
}

fn file(directory: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(directory.join("codex-login.json")).unwrap()).unwrap()
}

async fn names(own: &Arc<OwnLogin>) -> Result<String, ProviderError> {
    own.valid().await.map(|tokens| tokens.access.expose().to_owned())
}

#[tokio::test]
async fn tokens_that_expire_soon_are_refreshed_once_by_all_who_want_them() {
    for left in [-60, 240] {
        let home = TempDir::new().unwrap();
        let server = Loopback::start(vec![answer(200, &tokens("1")), answer(400, &json!({}))]).await;
        let first = sign_in(home.path(), &server, &access("0", left)).await;
        let second = own(home.path(), &server);
        let wanted = (0..6).map(|number| {
            let own = if number % 2 == 0 { Arc::clone(&first) } else { Arc::clone(&second) };
            tokio::spawn(async move { names(&own).await })
        });
        for tokens in futures_util::future::join_all(wanted).await {
            assert_eq!(tokens.unwrap().unwrap(), access("1", 3600), "{left}");
        }
        assert_eq!(server.asked().len(), 1, "one refresh of two processes");
        let asked = server.asked().remove(0);
        assert_eq!(path(&asked), "/oauth/token");
        assert_eq!(body(&asked), r#"{"client_id":"app_1","grant_type":"refresh_token","refresh_token":"rt-secret-0"}"#);
        assert_eq!(
            (&file(home.path())["refresh_token"], &file(home.path())["id_token"]),
            (&json!("rt-1"), &json!("id-secret"))
        );
    }
}

#[tokio::test]
async fn tokens_that_hold_are_not_refreshed() {
    let home = TempDir::new().unwrap();
    let server = Loopback::start(vec![answer(500, &json!({}))]).await;
    let own = sign_in(home.path(), &server, &access("0", 400)).await;
    assert_eq!(names(&own).await.unwrap(), access("0", 400));
    let told = own.tokens().unwrap();
    assert_eq!((told.account.as_deref(), told.plan.as_deref()), (Some("acct-1"), Some("pro")));
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn a_refresh_that_fails_leaves_the_old_tokens_while_they_hold() {
    let home = TempDir::new().unwrap();
    let server = Loopback::start(vec![answer(503, &json!({ "error": "busy with rt-secret-0" }))]).await;
    let own = sign_in(home.path(), &server, &access("0", 240)).await;
    for _ in 0..3 {
        assert_eq!(names(&own).await.unwrap(), access("0", 240));
    }
    assert_eq!(server.asked().len(), 1, "it is left alone for a while");
    let own = sign_in(home.path(), &server, &access("0", -1)).await;
    let error = names(&own).await.unwrap_err();
    assert!(error.retryable && !error.message.contains("rt-secret-0"), "{error}");
    assert_eq!(file(home.path())["refresh_token"], "rt-secret-0", "nothing is lost");
}

#[tokio::test]
async fn a_refresh_token_that_was_used_ends_the_sign_in() {
    let home = TempDir::new().unwrap();
    let refusal = json!({ "error": { "code": "refresh_token_reused", "message": "rt-secret-0 was already used." } });
    let server = Loopback::start(vec![answer(401, &refusal)]).await;
    let ended = sign_in(home.path(), &server, &access("0", 240)).await;
    let other = own(home.path(), &server);
    for own in [&ended, &ended, &other] {
        let error = names(own).await.unwrap_err();
        assert_eq!((error.kind, error.retryable), (ErrorKind::Auth, false));
        let why = "the sign-in to ChatGPT has ended: the sign-in answered 401: *** was already used.";
        assert_eq!(error.message, why);
        assert_eq!(error.hint.as_deref(), Some("run `open-think login codex`"));
    }
    assert_eq!(server.asked().len(), 1, "nobody asks again");
    assert_eq!(file(home.path())["refresh_token"], Value::Null);
    assert!(own(home.path(), &server).is_there(), "it is one that has ended, not none");
}

#[tokio::test]
async fn what_cannot_be_written_down_is_not_used_and_not_lost() {
    let home = TempDir::new().unwrap();
    let server = Loopback::start(vec![answer(200, &tokens("1")), answer(400, &json!({}))]).await;
    let own = sign_in(home.path(), &server, &access("0", -1)).await;
    let obstacle = home.path().join("codex-login.json.new");
    std::fs::create_dir(&obstacle).unwrap();
    let error = names(&own).await.unwrap_err();
    assert!(error.message.contains("cannot be kept in"), "{error}");
    assert!(error.hint.unwrap().contains("OPEN_THINK_STATE_DIR"));
    std::fs::remove_dir(&obstacle).unwrap();
    assert_eq!(names(&own).await.unwrap(), access("1", 3600));
    assert_eq!(server.asked().len(), 1, "what was handed out is written down, and nothing is asked for");
    assert_eq!(file(home.path())["refresh_token"], "rt-1");
}

#[tokio::test]
async fn a_refusal_leads_to_newer_tokens_if_there_can_be_any() {
    let home = TempDir::new().unwrap();
    let server = Loopback::start(vec![answer(200, &tokens("1")), answer(400, &json!({}))]).await;
    let own = sign_in(home.path(), &server, &access("0", 3600)).await;
    let refused = own.tokens().unwrap();
    let newer = own.after_refusal(&refused).await.unwrap().expect("newer ones");
    assert_eq!(newer.access.expose(), access("1", 3600));
    let again = own.after_refusal(&refused).await.unwrap().expect("the same newer ones");
    assert_eq!(again.access.expose(), newer.access.expose());
    assert!(own.after_refusal(&newer).await.unwrap().is_none(), "what is new is not made better");
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn a_sign_in_of_another_process_is_noticed() {
    let home = TempDir::new().unwrap();
    let server = Loopback::start(vec![answer(400, &json!({}))]).await;
    let own = own(home.path(), &server);
    let error = names(&own).await.unwrap_err();
    assert_eq!(error.message, "nobody is signed in to ChatGPT");
    assert!(!own.is_there());
    sign_in(home.path(), &server, &access("1", 3600)).await;
    assert_eq!(names(&own).await.unwrap(), access("1", 3600));
    sign_in(home.path(), &server, &access("2", 3600)).await;
    assert_eq!(names(&own).await.unwrap(), access("2", 3600));
    std::fs::write(home.path().join("codex-login.json"), "at-secret").unwrap();
    let error = names(&own).await.unwrap_err();
    assert!(error.message.ends_with("codex-login.json is not what this daemon writes"), "{error}");
    let elsewhere = OwnLogin::new(&client(&server), "https://b.example".parse().unwrap(), home.path());
    sign_in(home.path(), &server, &access("3", 3600)).await;
    let error = names(&elsewhere).await.unwrap_err();
    assert!(error.message.contains("CODEX_OAUTH_ISSUER is https://b.example/"), "{error}");
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn the_end_of_a_sign_in_is_told_to_the_issuer() {
    let home = TempDir::new().unwrap();
    let server = Loopback::start(vec![answer(200, &json!({})), answer(500, &json!({}))]).await;
    let own = sign_in(home.path(), &server, &access("0", 3600)).await;
    let ended = own.sign_out().await.unwrap().expect("there was one");
    assert_eq!(ended.tokens.unwrap().account.as_deref(), Some("acct-1"));
    assert!(ended.not_revoked.is_none() && !own.is_there());
    let asked = server.asked().remove(0);
    assert_eq!(path(&asked), "/oauth/revoke");
    assert_eq!(body(&asked), r#"{"token":"rt-secret-0","token_type_hint":"refresh_token","client_id":"app_1"}"#);
    assert!(own.sign_out().await.unwrap().is_none());
    let own = sign_in(home.path(), &server, &access("0", 3600)).await;
    assert!(own.sign_out().await.unwrap().expect("there was one").not_revoked.is_some());
    assert!(!own.is_there(), "it is gone all the same");
}

#[tokio::test]
async fn those_who_serve_refresh_ahead_of_need() {
    let home = TempDir::new().unwrap();
    let server = Loopback::start(vec![answer(200, &tokens("1")), answer(400, &json!({}))]).await;
    let own = sign_in(home.path(), &server, &access("0", 240)).await;
    let _fresh = own.keep_fresh();
    while file(home.path())["refresh_token"] != "rt-1" {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    own.settle(Duration::from_secs(5)).await;
    assert_eq!(own.tokens().unwrap().access.expose(), access("1", 3600));
    assert_eq!(server.asked().len(), 1);
}
