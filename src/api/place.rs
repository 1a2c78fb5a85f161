//! Where a client is, as it has told: what is started for it works there, with as much of its environment as is fit to
//! be passed on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::connection::Via;
use super::table::Context;
use crate::config::client_environment;
use crate::model::ClientPlace;

/// Longer paths are taken by no system.
const MAX_PATH: usize = 4096;

#[derive(Default)]
pub struct Told(Mutex<ClientPlace>);

impl Told {
    /// What makes no sense or may not be told is let pass. What was told before holds where nothing is said now.
    pub fn tell(&self, cwd: Option<String>, env: impl IntoIterator<Item = (String, String)>) {
        let mut place = self.lock();
        place.cwd = cwd.map(PathBuf::from).filter(|cwd| fits(cwd)).or(place.cwd.take());
        let env = client_environment(env);
        if !env.is_empty() {
            place.env = env;
        }
    }

    /// `cwd` and `env` of options that may be an editor's, and of any kind.
    pub fn tell_options(&self, options: Value) {
        let Value::Object(mut options) = options else { return };
        let text = |value: Value| value.as_str().map(str::to_owned);
        let env = options.remove("env").and_then(|env| serde_json::from_value::<BTreeMap<String, Value>>(env).ok());
        let env = env.unwrap_or_default().into_iter().filter_map(|(name, value)| Some((name, text(value)?)));
        self.tell(options.remove("cwd").and_then(text), env);
    }

    /// One that came over this process's own standard input, or from within, is where the process is.
    pub fn now(&self, via: Via) -> ClientPlace {
        let mut place = self.lock().clone();
        if place.cwd.is_none() && matches!(via, Via::Stdio | Via::Memory) {
            place.cwd = std::env::current_dir().ok();
        }
        place
    }

    fn lock(&self) -> MutexGuard<'_, ClientPlace> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Context {
    /// Where what is started for the client works.
    pub fn place(&self) -> Arc<ClientPlace> {
        let place = self.connection.told.now(self.connection.via);
        Arc::new(ClientPlace { client: Some(self.call.peer.number()), ..place })
    }
}

fn fits(cwd: &Path) -> bool {
    let bytes = cwd.as_os_str().as_encoded_bytes();
    cwd.is_absolute() && bytes.len() <= MAX_PATH && !bytes.contains(&0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_told_later_is_added_and_nonsense_is_let_pass() {
        let told = Told::default();
        let unix = Via::Unix { pid: None };
        assert_eq!(told.now(unix), ClientPlace::default(), "the daemon's own place is nobody's");
        assert_eq!(told.now(Via::Memory).cwd, std::env::current_dir().ok());
        told.tell(Some("/here".to_owned()), [("LANG".to_owned(), "C".to_owned())]);
        let env = vec![("LANG".to_owned(), "C".to_owned())];
        let long = "/a".repeat(MAX_PATH);
        for options in
            [json!(7), json!({}), json!({ "cwd": "here", "env": { "A_KEY": "k", "LANG": 1 } }), json!({ "cwd": long })]
        {
            told.tell_options(options);
            assert_eq!(
                told.now(unix),
                ClientPlace { cwd: Some("/here".into()), env: env.clone(), ..ClientPlace::default() }
            );
        }
        told.tell_options(json!({ "cwd": "/there" }));
        assert_eq!(told.now(Via::Stdio), ClientPlace { cwd: Some("/there".into()), env, ..ClientPlace::default() });
    }
}
