//! An issuer of tokens that signs in by device code, in the way of OpenAI's, and the ChatGPT backend that takes them; and
//! an app-server that signs in by itself.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_tungstenite::tungstenite::Message;

use crate::serving::{listen, read_request, respond, whole};

pub const DEVICE: &str = "deviceauth_quince_7b1f";
pub const CODE: &str = "ac_quince_7b1f";
pub const VERIFIER: &str = "cv_quince_7b1f";
pub const ID_SECRET: &str = "id-of-quince";

/// What the user has decided, and what is done about refresh tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Mood {
    #[default]
    Undecided,
    Approved,
    Denied,
    Expired,
    /// Every question is answered with 503.
    Down,
    /// Every refresh token has been used.
    Reused,
}

#[derive(Default)]
struct State {
    asked: Vec<String>,
    mood: Mood,
    /// Sign-ins and refreshes, each of which hands out tokens of this number.
    number: u32,
    /// The only access token that the backend takes is that of this number.
    taken: Option<u32>,
    /// What stood in the file when a request came to the backend.
    seen: Vec<String>,
    file: PathBuf,
}

#[derive(Clone)]
pub struct Issuer {
    pub url: String,
    state: Arc<Mutex<State>>,
    /// Exchanges for tokens wait for one of these.
    exchanges: Arc<Semaphore>,
}

impl Issuer {
    /// `file` is the one that the tokens should be kept in.
    pub async fn start(file: PathBuf) -> Self {
        let (listener, url) = listen().await;
        let state = Arc::new(Mutex::new(State { file, ..State::default() }));
        let issuer = Self { url, state, exchanges: Arc::new(Semaphore::new(1000)) };
        let own = issuer.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let own = own.clone();
                // A client that hangs up first is no fault of the server.
                tokio::spawn(async move { own.converse(stream).await });
            }
        });
        issuer
    }

    pub fn set(&self, mood: Mood) {
        self.state().mood = mood;
    }

    /// From now on the backend refuses tokens of other numbers.
    pub fn take_only(&self, number: u32) {
        self.state().taken = Some(number);
    }

    /// Exchanges wait until [`Self::release`].
    pub async fn hold(&self) {
        self.exchanges.acquire_many(1000).await.expect("it is open").forget();
    }

    pub fn release(&self) {
        self.exchanges.add_permits(1000);
    }

    /// How often this was asked for, so far: the beginning of a request's body or line.
    pub fn count(&self, part: &str) -> usize {
        self.state().asked.iter().filter(|request| request.contains(part)).count()
    }

    /// What stood in the file when requests came to the backend.
    pub fn seen(&self) -> Vec<String> {
        self.state().seen.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic")
    }

    async fn converse(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let Some(request) = read_request(&mut stream).await? else { return Ok(()) };
        self.state().asked.push(request.clone());
        if request.contains("/oauth/token") {
            self.exchanges.acquire().await.expect("it is open").forget();
            self.exchanges.add_permits(1);
        }
        let answer = self.answer(&request);
        respond(stream, &answer).await
    }

    fn answer(&self, request: &str) -> String {
        let mut state = self.state();
        let (line, body) = (request.lines().next().unwrap_or_default(), request.split("\r\n\r\n").nth(1));
        let body = body.unwrap_or_default();
        let path = line.split(' ').nth(1).unwrap_or_default();
        if path.starts_with("/backend-api/") {
            return state.backend(request, path);
        }
        if state.mood == Mood::Down {
            let why = if path.ends_with("usercode") { "not now".to_owned() } else { format!("no {DEVICE} now") };
            return answer("503 Service Unavailable", &json!({ "error": why }));
        }
        match path {
            "/api/accounts/deviceauth/usercode" => {
                let code = json!({ "device_auth_id": DEVICE, "user_code": "ABCD-12345", "interval": "1" });
                answer("200 OK", &code)
            }
            "/api/accounts/deviceauth/token" => state.decision(),
            "/oauth/token" if body.contains("refresh_token") => state.refreshed(body),
            "/oauth/token" if body.contains(CODE) && body.contains(VERIFIER) => state.tokens(),
            "/oauth/revoke" => answer("200 OK", &json!({})),
            _ => answer("404 Not Found", &json!({})),
        }
    }
}

impl State {
    fn decision(&self) -> String {
        let error = |word: &str| answer("400 Bad Request", &json!({ "error": word }));
        match self.mood {
            Mood::Undecided => answer("403 Forbidden", &json!({ "error": { "message": format!("{DEVICE} waits") } })),
            Mood::Denied => error("access_denied"),
            Mood::Expired => error("expired_token"),
            _ => {
                let permit = json!({ "authorization_code": CODE, "code_challenge": "x", "code_verifier": VERIFIER });
                answer("200 OK", &permit)
            }
        }
    }

    fn tokens(&mut self) -> String {
        self.number += 1;
        let (access, refresh) = (access(self.number), refresh(self.number));
        let id = format!("{}.{ID_SECRET}", jwt(&json!({ "email": "quince@a.example" })));
        answer("200 OK", &json!({ "access_token": access, "refresh_token": refresh, "id_token": id }))
    }

    fn refreshed(&mut self, body: &str) -> String {
        if self.mood == Mood::Reused || !body.contains(&refresh(self.number)) {
            let why = format!("{body} was used before");
            let error = json!({ "error": { "code": "refresh_token_reused", "message": why } });
            return answer("401 Unauthorized", &error);
        }
        self.tokens()
    }

    fn backend(&mut self, request: &str, path: &str) -> String {
        self.seen.push(std::fs::read_to_string(&self.file).unwrap_or_default());
        let known = |number: u32| request.contains(&format!("authorization: Bearer {}\r\n", access(number)));
        if !self.taken.map_or_else(|| known(self.number), known) {
            return answer("401 Unauthorized", &json!({ "detail": "Unauthorized" }));
        }
        if path.contains("/models") {
            return answer("200 OK", &json!({ "models": [{ "slug": "gpt-x" }] }));
        }
        let events = concat!(
            "data: {\"type\":\"response.output_text.delta\",\"output_index\":0,\"delta\":\"Hello\"}\n\n",
            "data: {\"type\":\"response.completed\",\"response\":{\"model\":\"gpt-x-1\",\"output\":[]}}\n\n",
        );
        whole("200 OK", "content-type: text/event-stream\r\n", events)
    }
}

/// An app-server that signs in as it is told to, and remembers what it was asked.
pub async fn serve_sign_ins(success: bool) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("ws://{}", listener.local_addr().expect("an address"));
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let log = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let log = Arc::clone(&log);
            tokio::spawn(async move {
                let mut socket = tokio_tungstenite::accept_async(stream).await.expect("a websocket");
                while let Some(Ok(message)) = socket.next().await {
                    let Ok(request) = serde_json::from_str::<Value>(message.to_text().unwrap_or_default()) else {
                        continue;
                    };
                    let method = request["method"].as_str().unwrap_or_default().to_owned();
                    let result = match method.as_str() {
                        "initialize" => json!({ "userAgent": "open-think/0.169.0 (Linux) x" }),
                        "account/login/start" => {
                            assert_eq!(request["params"], json!({ "type": "chatgptDeviceCode" }));
                            let page = "https://auth.example/codex/device";
                            json!({ "loginId": "l-1", "userCode": "WXYZ-12345", "verificationUrl": page })
                        }
                        "account/read" => {
                            json!({ "account": { "type": "chatgpt", "email": "plum@a.example", "planType": "plus" } })
                        }
                        _ => json!({}),
                    };
                    log.lock().expect("no panic").push(method.clone());
                    let mut frames = vec![json!({ "id": request["id"], "result": result })];
                    if method == "account/login/start" {
                        let why = if success { Value::Null } else { json!("Login was not completed") };
                        for id in ["l-other", "l-1"] {
                            let params = json!({ "loginId": id, "success": success, "error": why });
                            frames.push(json!({ "method": "account/login/completed", "params": params }));
                        }
                    }
                    if request.get("id").is_some() {
                        for frame in frames {
                            socket.send(Message::text(frame.to_string())).await.expect("it listens");
                        }
                    }
                }
            });
        }
    });
    (url, asked)
}

/// Those that are handed out at the sign-in or refresh of this number.
pub fn access(number: u32) -> String {
    let own = json!({ "chatgpt_account_id": "acct-1", "chatgpt_plan_type": "pro" });
    format!("{}.access-{number}-of-quince", jwt(&json!({ "exp": FAR, "https://api.openai.com/auth": own })))
}

pub fn refresh(number: u32) -> String {
    format!("rt_quince_{number}_7b1f")
}

pub const FAR: u64 = 4_000_000_000;

pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

fn answer(status: &str, body: &Value) -> String {
    whole(status, "content-type: application/json\r\n", &body.to_string())
}

/// Without its signature.
fn jwt(claims: &Value) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let text = claims.to_string();
    let payload = text.as_bytes().chunks(3).flat_map(|chunk| {
        let number = chunk.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        (0..=chunk.len()).map(move |at| char::from(DIGITS[(number >> (18 - 6 * at)) as usize & 63]))
    });
    format!("e30.{}", payload.collect::<String>())
}
