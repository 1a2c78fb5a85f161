//! `auth.json`, where the Codex CLI keeps its sign-in. It is read and never written.

use std::fs::File;
use std::io::{ErrorKind as IoErrorKind, Read};
use std::path::Path;

use serde::Deserialize;

use super::tokens::Tokens;
use crate::config::Secret;
use crate::model::{ErrorKind, ProviderError};
use crate::policy::Redactor;

const NAME: &str = "auth.json";
/// One that is longer is something else.
const MAX_BYTES: u64 = 1024 * 1024;

/// What the CLI is signed in with.
#[derive(Debug)]
pub enum Login {
    Tokens(Tokens),
    Key(Secret),
}

/// No `Debug`: it holds secrets as plain text.
#[derive(Deserialize)]
struct Content {
    auth_mode: Option<String>,
    #[serde(rename = "OPENAI_API_KEY")]
    key: Option<String>,
    tokens: Option<ContentTokens>,
}

#[derive(Deserialize)]
struct ContentTokens {
    id_token: Option<String>,
    access_token: Option<String>,
    refresh_token: Option<String>,
    account_id: Option<String>,
}

/// Reads the file in `home`. What is secret in it, the redactor knows from then on. The error is one sentence on what is
/// wrong with the file, and quotes nothing of it.
pub fn read(home: &Path, redactor: &Redactor) -> Result<Login, ProviderError> {
    let path = home.join(NAME);
    let shown = path.display();
    let bytes = bytes(&path).map_err(|why| match why.kind() {
        IoErrorKind::NotFound => fault(format!("there is no {shown}, so nobody is signed in to the Codex CLI")),
        _ => fault(format!("{shown} cannot be read: {why}")).with_hint("let this user read it, or set CODEX_HOME"),
    })?;
    let content: Content = serde_json::from_slice(&bytes)
        .map_err(|why| fault(format!("{shown} is not what the Codex CLI writes: {}", place(&why))))?;
    content.learn(redactor);
    content.login().ok_or_else(|| fault(format!("{shown} holds neither tokens nor an API key")))
}

fn fault(message: String) -> ProviderError {
    ProviderError::new(ErrorKind::Auth, message).with_hint("run `codex login`, or set OPENAI_API_KEY")
}

/// Where the fault is, without what stands there.
fn place(error: &serde_json::Error) -> String {
    let what = if error.is_data() { "a value of another kind" } else { "not JSON" };
    format!("{what} at line {} column {}", error.line(), error.column())
}

fn bytes(path: &Path) -> std::io::Result<Vec<u8>> {
    // Opening a pipe would wait for its writer.
    if !std::fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("it is not a file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(std::io::Error::other("it is too long"));
    }
    Ok(bytes)
}

impl Content {
    fn learn(&self, redactor: &Redactor) {
        let of_tokens =
            self.tokens.iter().flat_map(|tokens| [&tokens.id_token, &tokens.access_token, &tokens.refresh_token]);
        of_tokens.chain([&self.key]).flatten().for_each(|secret| redactor.learn(secret));
    }

    /// Tokens go before a key, unless the file says that the key is in use.
    fn login(self) -> Option<Login> {
        let filled = |text: Option<String>| text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let key = filled(self.key).map(|key| Login::Key(Secret::new(key)));
        if key.is_some() && self.auth_mode.as_deref() == Some("apikey") {
            return key;
        }
        let tokens = self.tokens.and_then(|tokens| {
            let access = Secret::new(filled(tokens.access_token)?);
            let id = filled(tokens.id_token).map(Secret::new);
            Some(Login::Tokens(Tokens::new(access, id.as_ref(), filled(tokens.account_id))))
        });
        tokens.or(key)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tempfile::TempDir;

    use super::{Login, read};
    use crate::policy::Redactor;

    fn check(content: &Value) -> Result<Login, String> {
        of(content.to_string().as_bytes())
    }

    fn of(bytes: &[u8]) -> Result<Login, String> {
        let home = TempDir::new().unwrap();
        std::fs::write(home.path().join("auth.json"), bytes).unwrap();
        let path = home.path().display().to_string();
        read(home.path(), &Redactor::default()).map_err(|error| error.message.replace(&path, "HOME"))
    }

    #[test]
    fn each_fault_has_its_sentence() {
        let nobody = TempDir::new().unwrap();
        let missing = read(nobody.path(), &Redactor::default()).unwrap_err();
        assert!(missing.message.ends_with("/auth.json, so nobody is signed in to the Codex CLI"), "{missing}");
        assert!(missing.hint.unwrap().contains("codex login"));
        std::fs::create_dir(nobody.path().join("auth.json")).unwrap();
        let directory = read(nobody.path(), &Redactor::default()).unwrap_err();
        assert!(directory.message.ends_with("auth.json cannot be read: it is not a file"), "{directory}");
        let said = |result: Result<Login, String>| result.unwrap_err();
        assert_eq!(
            said(of(b"{\"tokens\": sk-secret")),
            "HOME/auth.json is not what the Codex CLI writes: not JSON at line 1 column 12"
        );
        let other = said(check(&json!({ "tokens": "sk-secret" })));
        assert!(other.contains("a value of another kind") && !other.contains("sk-secret"), "{other}");
        let nothing = "HOME/auth.json holds neither tokens nor an API key";
        assert_eq!(said(check(&json!({ "OPENAI_API_KEY": null, "tokens": { "access_token": " " } }))), nothing);
        assert_eq!(said(of(&vec![b' '; 1024 * 1024 + 1])), "HOME/auth.json cannot be read: it is too long");
    }

    #[test]
    fn tokens_go_before_a_key_unless_the_key_is_in_use() {
        let tokens = json!({ "access_token": "a.b.c", "account_id": "acct-1" });
        let both = json!({ "OPENAI_API_KEY": "sk-1", "tokens": tokens });
        assert!(matches!(check(&both), Ok(Login::Tokens(tokens)) if tokens.account.as_deref() == Some("acct-1")));
        let by_key = json!({ "auth_mode": "apikey", "OPENAI_API_KEY": "sk-1", "tokens": tokens });
        assert!(matches!(check(&by_key), Ok(Login::Key(key)) if key.expose() == "sk-1"));
        assert!(matches!(check(&json!({ "OPENAI_API_KEY": "sk-1", "tokens": null })), Ok(Login::Key(_))));
    }

    #[test]
    fn what_is_read_is_kept_out_of_texts() {
        let home = TempDir::new().unwrap();
        let tokens = json!({ "access_token": "access-1", "id_token": "identity-1", "refresh_token": "refresh-1" });
        std::fs::write(home.path().join("auth.json"), json!({ "tokens": tokens }).to_string()).unwrap();
        let redactor = Redactor::default();
        read(home.path(), &redactor).unwrap();
        assert_eq!(redactor.redact("access-1 identity-1 refresh-1"), "*** *** ***");
    }
}
