//! Secrets as a whole configuration gets them, from programs and files that stand for the real ones.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{Keeper, Keyring, SecretStore};
use crate::config::{Config, Environment, Platform, Secret, Sources};

/// A home whose `bin` is the PATH, before the system's.
struct Home(TempDir);

/// Keeps each entry in a file named for its account, as `secret-tool` is called.
const SECRET_TOOL: &str = r#"#!/bin/sh
cd "$HOME/keyring" || { echo "no such collection" >&2; exit 1; }
echo "$@" >> "$HOME/arguments"
case "$1" in
store) name=$(echo "$6" | tr / _); cat > "$name" ;;
lookup) name=$(echo "$5" | tr / _); test -e "$name" && cat "$name" ;;
clear) name=$(echo "$5" | tr / _); rm "$name" 2>/dev/null ;;
esac"#;

/// The same, as `security` is called: what it keeps is said on its standard input.
const SECURITY: &str = r#"#!/bin/sh
echo "$@" >> "$HOME/arguments"
cd "$HOME/keyring" || exit 1
case "$1" in
-i) read -r line; name=$(echo "$line" | sed 's/.*-a "\([^"]*\)" .*/\1/' | tr / _)
    echo "$line" | sed 's/.*-w "\(.*\)"$/\1/' > "$name" ;;
find-generic-password) name=$(echo "$5" | tr / _); test -e "$name" || exit 44; cat "$name" ;;
delete-generic-password) name=$(echo "$5" | tr / _); rm "$name" 2>/dev/null || exit 44 ;;
esac"#;

impl Home {
    fn new() -> Self {
        let home = Self(TempDir::new().expect("a temporary directory"));
        std::fs::create_dir(home.path().join("bin")).expect("a directory");
        home
    }

    fn with_keyring(platform: Platform) -> Self {
        let home = Self::new();
        std::fs::create_dir(home.path().join("keyring")).expect("a directory");
        match platform {
            Platform::MacOs => home.program("security", SECURITY),
            _ => home.program("secret-tool", SECRET_TOOL),
        }
        home
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn program(&self, name: &str, text: &str) {
        self.file(&format!("bin/{name}"), text, 0o700);
    }

    fn file(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, text).expect("a file");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("rights");
        path
    }

    fn sources(&self, env: &[(&str, &str)]) -> Sources {
        let home = self.path().display().to_string();
        let path = format!("{home}/bin:/usr/bin:/bin");
        let here = [("HOME", home.as_str()), ("PATH", &path), ("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")];
        let mut sources = Sources::of_environment(here.into_iter().chain(env.iter().copied()));
        sources.platform = Platform::Unix;
        sources
    }

    fn load(&self, env: &[(&str, &str)]) -> Config {
        Config::load(self.sources(env)).expect("a configuration")
    }

    fn environment(&self) -> Environment {
        self.load(&[]).environment
    }

    fn store(&self) -> SecretStore {
        SecretStore::new(&self.path().join(".local/state/open-think"))
    }

    fn arguments(&self) -> String {
        std::fs::read_to_string(self.path().join("arguments")).unwrap_or_default()
    }
}

fn key(config: &Config) -> Option<&str> {
    config.anthropic.api_key.as_ref().map(Secret::expose)
}

/// It is left out, and these words say why and what mends it.
#[track_caller]
fn check_left_out(config: &Config, words: &[&str]) {
    assert_eq!(key(config), None);
    let [unresolved] = config.unresolved.as_slice() else { panic!("{:?}", config.unresolved) };
    let said = format!("{unresolved}. {}", unresolved.fix);
    for word in words {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert!(!said.contains("sk-quince"), "{said}");
}

#[test]
fn a_reference_is_followed_wherever_it_stands() {
    let home = Home::new();
    home.file("key", "sk-file\n", 0o400);
    home.program("give", "#!/bin/sh\necho \"sk-$1\"\n");
    let file = format!("file:{}/key", home.path().display());
    for (reference, expected) in
        [("env:MINE", "sk-env"), (&file, "sk-file"), ("file:~/key", "sk-file"), ("cmd:give 'two'", "sk-two")]
    {
        let config = home.load(&[("ANTHROPIC_API_KEY", reference), ("MINE", "sk-env")]);
        assert_eq!(key(&config), Some(expected), "{reference}: {:?}", config.unresolved);
    }
    assert_eq!(key(&home.load(&[("ANTHROPIC_API_KEY", " sk-itself ")])), Some("sk-itself"));
}

#[test]
fn a_reference_that_leads_nowhere_costs_its_plugin_alone() {
    let home = Home::new();
    let open = home.file("open", "sk-quince", 0o640);
    home.file("empty", "", 0o600);
    home.file("words", "sk-quince two", 0o600);
    home.program("fail", "#!/bin/sh\necho sk-quince-1\necho 'no sk-quince-1 here' >&2\nexit 3\n");
    home.program("much", "#!/bin/sh\nexec head -c 100000 /dev/zero\n");
    let chmod = format!("chmod 600 '{}'", open.display());
    for (reference, words) in [
        ("env:MINE", &["ANTHROPIC_API_KEY is not used: the environment variable MINE is not set", "export MINE="][..]),
        ("file:~/open", &["other users may read", &chmod]),
        ("file:~/none", &["there is no file", "chmod 600"]),
        ("file:~/bin", &["is no file"]),
        ("file:~/empty", &["is empty"]),
        ("file:~/words", &["holds a space"]),
        ("cmd:none 'of these'", &["none cannot be run"]),
        ("cmd:fail", &["fail failed with exit code 3: no *** here"]),
        ("cmd:much", &["prints more than a key"]),
    ] {
        let env = [("ANTHROPIC_API_KEY", reference), ("OPENAI_API_KEY", "sk-other"), ("ANTHROPIC_AUTH_TOKEN", "t")];
        let config = home.load(&env);
        check_left_out(&config, words);
        assert!(config.codex.api_key.is_some());
        assert!(config.anthropic.auth_token.is_none(), "nobody meant the token to be asked with instead");
    }
}

#[test]
fn a_command_sees_no_key_and_no_shell() {
    let home = Home::new();
    home.program("show", "#!/bin/sh\necho \"$1,$OPENAI_API_KEY,$PWD,$LANG\"\n");
    let env = [("ANTHROPIC_API_KEY", "cmd:show $HOME;id"), ("OPENAI_API_KEY", "sk-other"), ("LANG", "C")];
    assert_eq!(key(&home.load(&env)), Some("$HOME;id,,/,C"));
}

#[test]
fn a_reference_that_is_none_is_a_fault_of_the_configuration() {
    for reference in ["env:", "file:relative", "cmd:'open", "keyring:"] {
        let error = Config::load(Home::new().sources(&[("OPENAI_API_KEY", reference)])).expect_err(reference);
        assert!(error.to_string().contains("environment variable OPENAI_API_KEY"), "{error}");
    }
}

#[test]
fn nothing_is_asked_by_those_who_only_read() {
    let home = Home::new();
    home.program("give", "#!/bin/sh\ntouch \"$HOME/ran\"; echo k\n");
    let config = Config::read(home.sources(&[("ANTHROPIC_API_KEY", "cmd:give")])).expect("a configuration");
    assert!(key(&config).is_none() && !home.path().join("ran").exists());
}

#[test]
fn what_was_put_is_used_where_nothing_else_is_said_and_stands_in_no_argument() {
    for platform in [Platform::Unix, Platform::MacOs] {
        let home = Home::with_keyring(platform);
        let (environment, store) = (home.environment(), home.store());
        let keyring = Keyring::new(platform, &environment);
        let secret = Secret::new(r#"sk-"quince\1"#);
        let put = store.put("ANTHROPIC_API_KEY", &secret, &keyring).expect("kept");
        if platform == Platform::MacOs {
            // The fake leaves the marks that protect a quotation mark as they are.
            assert_eq!(put.0, Keeper::File);
            let put = store.put("ANTHROPIC_API_KEY", &Secret::new("sk-quince"), &keyring).expect("kept");
            assert_eq!(put, (Keeper::Keyring, None));
        } else {
            assert_eq!(put, (Keeper::Keyring, None));
            assert_eq!(key(&home.load(&[])), Some(secret.expose()));
            assert_eq!(key(&home.load(&[("ANTHROPIC_API_KEY", "sk-env")])), Some("sk-env"));
            let other = home.load(&[("OPENAI_API_KEY", "keyring:ANTHROPIC_API_KEY")]);
            assert_eq!(other.codex.api_key.as_ref().map(Secret::expose), Some(secret.expose()));
        }
        let file = std::fs::read_to_string(store.file()).expect("a file");
        assert!(!file.contains("quince") && !home.arguments().contains("quince"), "{file} {}", home.arguments());
        assert_eq!(store.delete("ANTHROPIC_API_KEY", &keyring).expect("gone"), Some((Keeper::Keyring, None)));
        assert_eq!(store.delete("ANTHROPIC_API_KEY", &keyring).expect("nothing"), None);
        assert_eq!(std::fs::read_dir(home.path().join("keyring")).expect("it").count(), 0);
    }
}

#[test]
fn without_a_keyring_a_file_keeps_them_that_only_its_owner_reads() {
    let home = Home::new();
    home.program("secret-tool", "#!/bin/sh\necho 'no collection' >&2\nexit 1\n");
    let (environment, store) = (home.environment(), home.store());
    let keyring = Keyring::new(Platform::Unix, &environment);
    let (keeper, fault) = store.put("ANTHROPIC_API_KEY", &Secret::new("sk-quince"), &keyring).expect("kept");
    assert_eq!(keeper, Keeper::File);
    assert!(fault.expect("a reason").why.contains("no collection"));
    assert_eq!(std::fs::metadata(store.file()).expect("a file").permissions().mode() & 0o777, 0o600);
    assert_eq!(key(&home.load(&[])), Some("sk-quince"));
    std::fs::set_permissions(store.file(), std::fs::Permissions::from_mode(0o644)).expect("rights");
    let config = home.load(&[]);
    assert_eq!(key(&config), None);
    assert!(config.warnings[0].contains("chmod 600"), "{:?}", config.warnings);
}

#[test]
fn a_keyring_that_does_not_answer_is_given_up() {
    let home = Home::with_keyring(Platform::Unix);
    let (environment, store) = (home.environment(), home.store());
    let keyring = Keyring::new(Platform::Unix, &environment);
    store.put("ANTHROPIC_API_KEY", &Secret::new("sk-quince"), &keyring).expect("kept");
    home.program("secret-tool", "#!/bin/sh\nsleep 60 &\nwait\n");
    check_left_out(&home.load(&[]), &["did not answer within 2 seconds", "Unlock it"]);
    let (keeper, _) = store.put("ANTHROPIC_API_KEY", &Secret::new("sk-quince-2"), &keyring).expect("kept");
    assert_eq!(keeper, Keeper::File);
    assert_eq!(key(&home.load(&[])), Some("sk-quince-2"));
}

#[test]
fn a_keyring_without_its_program_or_its_bus_says_so() {
    let home = Home::new();
    let path = home.path().join("bin").display().to_string();
    let ask = |env: &[(&str, &str)]| {
        let pairs = env.iter().map(|(name, value)| ((*name).to_owned(), value.into()));
        let environment = Environment::new(pairs.collect());
        Keyring::new(Platform::Unix, &environment).probe().expect_err("no keyring").why
    };
    let why = ask(&[("PATH", &path), ("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")]);
    assert!(why.contains("no program secret-tool"), "{why}");
    let why = ask(&[("PATH", &path), ("XDG_RUNTIME_DIR", &path)]);
    assert!(why.contains("no session bus"), "{why}");
}
