//! Has the secrets that are only referred to, and those that are kept. All are asked at once, each within its limit, so
//! that several slow ones take no longer than one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::super::{Config, Environment, Platform, Secret, Setting};
use super::bounded::{Failure, Program};
use super::store::{Unread, private};
use super::{Claim, Fault, Kept, Keyring, KeyringEntry, KeyringFault, Reference, SecretStore, Unresolved};

/// Of a command: a password may have to be typed or a card touched.
const COMMAND: Duration = Duration::from_secs(10);

/// Of what a program says of its failure so much is told.
const SAID: usize = 200;

/// What is asked, and with what.
struct Resolver<'a> {
    environment: &'a Environment,
    platform: Platform,
    store: &'a SecretStore,
    kept: &'a BTreeMap<String, Kept>,
    /// What no message may hold.
    known: &'a [Secret],
}

impl Config {
    /// Takes the claims of the layers, and for what none of them claims what is kept.
    pub(in crate::config) fn resolve(&mut self, platform: Platform) {
        let store = SecretStore::new(&self.state_dir);
        let kept = store.kept().unwrap_or_else(|error| {
            self.warnings.push(format!("the secrets that were kept are not used: {error}. {}", error.fix));
            BTreeMap::new()
        });
        let mut claims = std::mem::take(&mut self.claims).0;
        for name in kept.keys() {
            if let Some(setting) = Setting::find(name).filter(|setting| setting.is_secret()) {
                claims.entry(setting.name).or_insert_with(|| Claim::Reference(Reference::Keyring(name.clone())));
            }
        }
        let known: Vec<Secret> = claims.values().filter_map(Claim::value).cloned().collect();
        let claims = claims.into_iter().filter_map(|(name, claim)| Some((Setting::find(name)?, claim))).collect();
        let environment = &self.environment;
        let resolver = Resolver { environment, platform, store: &store, kept: &kept, known: &known };
        let found = resolver.all(claims);
        for (setting, found) in found {
            match found {
                Ok(secret) => setting.put_secret(self, secret),
                Err(Fault { why, fix }) => self.unresolved.push(Unresolved { setting: setting.name, why, fix }),
            }
        }
        for setting in self.unresolved.iter().map(|secret| secret.setting).collect::<Vec<_>>() {
            leave_out(self, setting);
        }
    }
}

/// What would go on without the secret, and behave as its user did not mean it to: ask without a key, or with that of
/// another account.
fn leave_out(config: &mut Config, name: &str) {
    match name {
        "ANTHROPIC_API_KEY" => config.anthropic.auth_token = None,
        "OPENAI_API_KEY" => (config.codex.access_token, config.codex.home) = (None, None),
        "OPENAI_COMPATIBLE_KEY" => config.openai_compatible.url = None,
        "AI_GATEWAY_AUTH_TOKEN" => config.ai_gateway.id = None,
        "OTEL_EXPORTER_OTLP_HEADERS" => config.telemetry.endpoint = None,
        "CODEX_ID_TOKEN" => config.codex.access_token = None,
        "CODEX_APP_SERVER_TOKEN" => config.codex.app_server.url = None,
        _ => {}
    }
}

impl Claim {
    fn value(&self) -> Option<&Secret> {
        match self {
            Self::Value(secret) => Some(secret),
            Self::Reference(_) => None,
        }
    }
}

type Found = (&'static Setting, Result<Secret, Fault>);

impl Resolver<'_> {
    fn all(&self, claims: Vec<(&'static Setting, Claim)>) -> Vec<Found> {
        thread::scope(|scope| {
            let asked = claims.into_iter().map(|(setting, claim)| {
                let waits = matches!(claim, Claim::Reference(Reference::Command(_) | Reference::Keyring(_)));
                let find = move || (setting, self.one(claim));
                if waits { Err(scope.spawn(find)) } else { Ok(find()) }
            });
            // All are begun before the first is waited for.
            let asked: Vec<_> = asked.collect();
            let crashed = || unreachable!("a thread that asks for a secret does not panic");
            asked
                .into_iter()
                .map(|asked| asked.unwrap_or_else(|thread| thread.join().unwrap_or_else(|_| crashed())))
                .collect()
        })
    }

    fn one(&self, claim: Claim) -> Result<Secret, Fault> {
        let text = match claim {
            Claim::Value(secret) => return Ok(secret),
            Claim::Reference(Reference::Keyring(name)) => return self.kept(&name),
            Claim::Reference(Reference::Env(name)) => self.variable(&name)?,
            Claim::Reference(Reference::File(path)) => self.file(&path)?,
            Claim::Reference(Reference::Command(command)) => self.command(&command)?,
        };
        let unfit = |what| Fault::new(format!("what stands there {what}"), "Give the key alone.");
        Secret::checked(text.trim_end_matches(['\n', '\r']).to_owned()).map_err(unfit).and_then(|secret| {
            let empty = || Fault::new("what stands there is empty", "Give the key there.");
            (!secret.expose().is_empty()).then_some(secret).ok_or_else(empty)
        })
    }

    fn variable(&self, name: &str) -> Result<String, Fault> {
        let value = self.environment.get(name).and_then(|value| value.to_str()).filter(|value| !value.is_empty());
        let fix = || format!("Run export {name}=… before the daemon starts, or refer to a file or a command.");
        let unset = || Fault::new(format!("the environment variable {name} is not set"), fix());
        value.map(str::to_owned).ok_or_else(unset)
    }

    fn file(&self, path: &Path) -> Result<String, Fault> {
        let path = match path.strip_prefix("~") {
            Err(_) => path.to_owned(),
            Ok(below) => {
                let home = self.environment.get("HOME").filter(|home| !home.is_empty());
                let homeless = || Fault::new("HOME is not set", "Name the file by an absolute path.");
                PathBuf::from(home.ok_or_else(homeless)?).join(below)
            }
        };
        let shown = path.display();
        private(&path, Secret::LONGEST).map_err(|unread| match unread {
            Unread::Missing => Fault::new(
                format!("there is no file {shown}"),
                format!("Write the key there, and run chmod 600 '{shown}'."),
            ),
            Unread::NoFile => Fault::new(format!("{shown} is no file"), "Name a file."),
            Unread::TooLong => {
                Fault::new(format!("{shown} is too long to be a key"), "Name the file that holds the key alone.")
            }
            Unread::Fault(fault) => fault,
        })
    }

    fn command(&self, command: &[String]) -> Result<String, Fault> {
        let name = command.first().map_or("", String::as_str);
        let fix = || format!("See what {} prints.", command.join(" "));
        let output =
            Program { command, environment: self.environment, limit: COMMAND }.run("").map_err(
                |failure| match failure {
                    Failure::NotStarted(error) => Fault::new(format!("{name} cannot be run: {error}"), fix()),
                    Failure::TimedOut => {
                        Fault::new(format!("{name} was ended after {} seconds", COMMAND.as_secs()), fix())
                    }
                    Failure::TooMuch => Fault::new(format!("{name} prints more than a key"), fix()),
                },
            )?;
        let text = String::from_utf8_lossy(&output.bytes).into_owned();
        match output.ending() {
            None => Ok(text),
            Some(how) => Err(Fault::new(format!("{name} {}", self.redacted(&how, &text)), fix())),
        }
    }

    /// What was kept under the name of a setting, else that entry of the keyring.
    fn kept(&self, name: &str) -> Result<Secret, Fault> {
        let setting = Setting::find(name).map_or(name, |setting| setting.name);
        let fault = |KeyringFault { why, fix }| Fault { why, fix };
        let keyring = Keyring::new(self.platform, self.environment);
        let (found, mend) = match self.kept.get(setting) {
            Some(Kept::File(secret)) => return Ok(secret.clone()),
            Some(Kept::Keyring) => {
                (keyring.get(&self.store.entry(setting)), format!("Run open-think secret put {setting}."))
            }
            None => (
                keyring.get(&KeyringEntry::named(name)),
                "Put it there, or see what open-think secret list says.".to_owned(),
            ),
        };
        found.map_err(fault)?.ok_or_else(|| Fault::new(format!("the keyring has no entry {name}"), mend))
    }

    /// Without what must not be told, and no longer than it helps.
    fn redacted(&self, said: &str, output: &str) -> String {
        let known = self.known.iter().map(Secret::expose).chain(output.lines().map(str::trim));
        let said =
            known.filter(|secret| secret.len() > 3).fold(said.to_owned(), |said, secret| said.replace(secret, "***"));
        said.chars().filter(|letter| !letter.is_control()).take(SAID).collect()
    }
}
