//! What a token says of itself. Nothing is verified: that is for those whom it is shown to.

use serde_json::Value;

/// Where OpenAI keeps its own claims.
const NAMESPACE: &str = "https://api.openai.com/auth";

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Claims {
    pub(super) account: Option<String>,
    pub(super) email: Option<String>,
    pub(super) plan: Option<String>,
    /// Seconds since 1970.
    pub(super) expires_at: Option<u64>,
}

impl Claims {
    /// Nothing is known of a token that is no JWT.
    pub(super) fn of(token: &str) -> Self {
        let payload = token.split('.').nth(1).and_then(base64url);
        let claims: Value = payload.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        let text = |name: &str| {
            let own = claims.get(NAMESPACE).and_then(|own| own.get(name)).and_then(Value::as_str);
            own.filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let email = claims.get("email").and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
        let expires_at = claims.get("exp").and_then(|exp| exp.as_u64().or_else(|| exp.as_f64().map(|exp| exp as u64)));
        Self { account: text("chatgpt_account_id"), email, plan: text("chatgpt_plan_type"), expires_at }
    }
}

fn base64url(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text.trim_end_matches('=').bytes() {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'-' | b'+' => 62,
            b'_' | b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(six);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    Some(bytes)
}

/// A token that says these claims.
#[cfg(test)]
pub(crate) fn token_of(claims: &Value) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let text = claims.to_string();
    let payload = text.as_bytes().chunks(3).flat_map(|chunk| {
        let number = chunk.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        (0..=chunk.len()).map(move |at| char::from(DIGITS[(number >> (18 - 6 * at)) as usize & 63]))
    });
    format!("e30.{}.c2ln", payload.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::{Claims, base64url};

    #[test]
    fn letters_of_base64url() {
        let check = |text: &str, expected: Option<&[u8]>| assert_eq!(base64url(text).as_deref(), expected);
        check("", Some(b""));
        check("Zg", Some(b"f"));
        check("Zm8=", Some(b"fo"));
        check("Zm9v", Some(b"foo"));
        check("-_-_", Some(&[0xFB, 0xFF, 0xBF]));
        check("a b", None);
    }

    #[test]
    fn claims_are_read_where_there_are_any() {
        // {"exp":9,"https://api.openai.com/auth":{"chatgpt_account_id":"acct-1","chatgpt_plan_type":"pro"}}
        let payload = "eyJleHAiOjksImh0dHBzOi8vYXBpLm9wZW5haS5jb20vYXV0aCI6eyJjaGF0Z3B0X2FjY291bnRfaWQiOiJhY2N0LTEiLCJj\
                       aGF0Z3B0X3BsYW5fdHlwZSI6InBybyJ9fQ";
        let claims = Claims::of(&format!("e30.{payload}.c2ln"));
        let (account, plan) = (Some("acct-1".to_owned()), Some("pro".to_owned()));
        assert_eq!(claims, Claims { account, email: None, plan, expires_at: Some(9) });
        for other in ["at-opaque", "", "..", "a.!!.b", "a.e30.b", "a.W10.b"] {
            assert_eq!(Claims::of(other), Claims::default(), "{other}");
        }
    }
}
