//! A ChatGPT subscription whose limit is reached, as its backend tells of it, and a sign-in to it that nobody gave.

use serde_json::{Value, json};

use super::script::Reply;

const ACCOUNT: &str = "acct-1111";

/// The first day of 2038: the program keeps it in 32 bits.
const RESETS_AT: u32 = 2_145_916_800;

/// What the backend answers.
pub fn answer(path: &str) -> Reply {
    let window = |percent: u32, seconds: u32| {
        json!({
            "used_percent": percent, "limit_window_seconds": seconds, "reset_after_seconds": 3600, "reset_at": RESETS_AT,
        })
    };
    let (primary, secondary) = (window(100, 18_000), window(40, 604_800));
    let account = json!({
        "id": ACCOUNT, "name": "Mock", "plan_type": "pro", "structure": "personal", "is_deactivated": false,
        // No other one is taken, and nothing is sent there.
        "workspace_backend_origin": "https://127.0.0.1:9", "account_routing_override": "NO_CONSTRAINT",
    });
    match path {
        "/backend-api/wham/accounts/check" => Reply::Refused(
            200,
            json!({"accounts": [account], "account_ordering": [ACCOUNT], "default_account_id": ACCOUNT}),
        ),
        "/backend-api/wham/usage" => {
            let limit = json!({
                "allowed": false, "limit_reached": true, "primary_window": primary, "secondary_window": secondary,
            });
            Reply::Refused(200, json!({"account_id": ACCOUNT, "plan_type": "pro", "rate_limit": limit}))
        }
        _ => Reply::Refused(404, json!({"error": {"message": "nothing is here"}})),
    }
}

/// The `auth.json` of somebody who is signed in.
pub fn sign_in() -> Value {
    let account = json!({"chatgpt_account_id": ACCOUNT, "chatgpt_plan_type": "pro", "chatgpt_user_id": "user-22"});
    let claims = json!({"email": "mock@example.com", "exp": RESETS_AT, "https://api.openai.com/auth": account});
    let token = ["{\"alg\":\"none\"}", &claims.to_string(), "signed"].map(base64url).join(".");
    json!({
        "auth_mode": "chatgpt", "OPENAI_API_KEY": null, "last_refresh": "2026-11-22T22:02:41Z",
        "tokens": {"id_token": token, "access_token": token, "refresh_token": "rt_mock", "account_id": ACCOUNT},
    })
}

fn base64url(text: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let encoded = text.as_bytes().chunks(3).flat_map(|chunk| {
        let bits = (0..3).fold(0_usize, |bits, at| bits << 8 | usize::from(chunk.get(at).copied().unwrap_or(0)));
        (0..=chunk.len()).map(move |at| char::from(LETTERS[bits >> (18 - 6 * at) & 63]))
    });
    encoded.collect()
}
