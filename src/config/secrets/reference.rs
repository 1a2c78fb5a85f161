//! How a setting says where its secret is: `env:`, `file:`, `cmd:` or `keyring:`.

use std::path::PathBuf;

use super::words;

/// `Debug` shows names and paths; none of them is the secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    Env(String),
    /// Absolute, or below the home that `~/` stands for.
    File(PathBuf),
    /// Never empty.
    Command(Vec<String>),
    /// What `secret put` has kept under this name, or an entry of the keyring: `account` or `service/account`.
    Keyring(String),
}

/// What a value begins with that is not the secret itself.
const KINDS: [&str; 4] = ["env", "file", "cmd", "keyring"];

impl Reference {
    /// Nothing if the text is the secret itself. The error says what is wrong without quoting it.
    pub fn parse(text: &str) -> Option<Result<Self, String>> {
        let kind = Self::kind(text)?;
        let rest = text.trim().strip_prefix(kind)?.strip_prefix(':')?.trim();
        if rest.is_empty() {
            return Some(Err(format!("says {kind}: and nothing after it")));
        }
        Some(match kind {
            "env" => Ok(Self::Env(rest.to_owned())),
            "file" if rest.starts_with('/') || rest.starts_with("~/") => Ok(Self::File(rest.into())),
            "file" => Err("must name the file by an absolute path, or by one that begins with ~/".to_owned()),
            "cmd" => match words::split(rest) {
                Ok(command) if command.first().is_none_or(String::is_empty) => Err("names no program".to_owned()),
                split => split.map(Self::Command),
            },
            _ => Ok(Self::Keyring(rest.to_owned())),
        })
    }

    pub fn kind(text: &str) -> Option<&'static str> {
        let (kind, _) = text.trim_start().split_once(':')?;
        KINDS.into_iter().find(|known| *known == kind)
    }
}

#[cfg(test)]
mod tests {
    use super::Reference;

    #[test]
    fn what_begins_otherwise_is_the_secret_itself() {
        for text in ["sk-1", "ENV:X", "environment:X", "https://x", "", ":", "cmd", "a:b"] {
            assert_eq!(Reference::parse(text), None, "{text}");
        }
    }

    #[test]
    fn each_kind_and_what_it_needs() {
        let good = |text: &str| Reference::parse(text).expect("a reference").expect("a good one");
        assert_eq!(good("env:MY_KEY"), Reference::Env("MY_KEY".to_owned()));
        assert_eq!(good("file:~/key"), Reference::File("~/key".into()));
        assert_eq!(good("cmd:pass show 'a b'"), Reference::Command(["pass", "show", "a b"].map(str::to_owned).into()));
        assert_eq!(good("keyring:mine/me"), Reference::Keyring("mine/me".to_owned()));
        for wrong in ["env:", "file: ", "file:key", "cmd:''", "cmd:'a", "keyring:"] {
            assert!(matches!(Reference::parse(wrong), Some(Err(_))), "{wrong}");
        }
    }
}
