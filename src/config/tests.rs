use std::path::Path;
use std::time::Duration;

use proptest::prelude::{ProptestConfig, prop_assert, proptest};
use serde_json::json;
use tempfile::TempDir;

use super::{AppServerUrl, Config, ConfigError, ConfigErrorKind, Price, SETTINGS, Sandbox, Sources};

/// A home with this file in the customary place.
struct Home(TempDir);

impl Home {
    fn with(text: &str) -> Self {
        let home = Self(TempDir::new().expect("a temporary directory"));
        let file = home.file();
        std::fs::create_dir_all(file.parent().expect("a parent")).expect("a directory");
        std::fs::write(&file, text).expect("a file");
        restrict(&file, 0o600);
        home
    }

    fn file(&self) -> std::path::PathBuf {
        self.0.path().join("open-think/config.toml")
    }

    fn load(&self, env: &[(&str, &str)], flags: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let home = self.0.path().to_str().expect("a UTF-8 path");
        let here = [("HOME", home), ("XDG_CONFIG_HOME", home), ("XDG_STATE_HOME", home)];
        let mut sources = Sources::of_environment(here.into_iter().chain(env.iter().copied()));
        sources.platform = super::Platform::Unix;
        sources.flags.settings = flags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Config::load(sources)
    }
}

fn restrict(file: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode)).expect("rights");
}

fn load(text: &str) -> Config {
    Home::with(text).load(&[], &[]).expect("a good configuration")
}

/// The file is refused, with this line and these words in the message.
#[track_caller]
fn refused(text: &str, line: usize, kind: ConfigErrorKind, words: &[&str]) {
    let error = Home::with(text).load(&[], &[]).expect_err("a bad configuration");
    let message = error.to_string();
    assert_eq!(error.kind, kind, "{message}");
    assert!(message.contains(&format!("config.toml:{line}: ")), "line {line}: {message}");
    for word in words {
        assert!(message.contains(word), "{word}: {message}");
    }
}

#[test]
fn without_a_file_the_defaults_hold() {
    let home = Home::with("");
    std::fs::remove_file(home.file()).expect("removed");
    let config = home.load(&[], &[]).expect("defaults");
    assert_eq!(config.file, home.file());
    assert_eq!(config.state_dir, home.0.path().join("open-think"));
    assert_eq!(config.anthropic.base_url.as_str(), "https://api.anthropic.com/");
    assert!(config.enabled_plugins.is_none() && config.warnings.is_empty());
}

#[test]
fn flags_win_over_environment_over_file_over_defaults() {
    let home = Home::with("model_default = 'file'\nanthropic_default_model = 'file'\nOPENAI_COMPATIBLE_KEY = 'file'");
    let env = [("MODEL_DEFAULT", "env"), ("ANTHROPIC_DEFAULT_MODEL", "env")];
    let config = home.load(&env, &[("model_default", "flag")]).expect("a configuration");
    assert_eq!(config.model_default.as_deref(), Some("flag"));
    assert_eq!(config.anthropic.default_model.as_deref(), Some("env"));
    assert_eq!(config.openai_compatible.key.expect("a key").expose(), "file");
    assert_eq!(config.log.filter, "info");
}

#[test]
fn an_empty_variable_unsets_nothing_but_a_list() {
    let home = Home::with("model_default = 'file'\nenabled_plugins = ['admin']\nallowed_hosts = 'a.org, b.org'");
    let config = home.load(&[("MODEL_DEFAULT", ""), ("ENABLED_PLUGINS", "")], &[]).expect("a configuration");
    assert_eq!(config.model_default.as_deref(), Some("file"));
    assert_eq!(config.enabled_plugins, Some(Vec::new()));
    assert_eq!(config.allowed_hosts, Some(vec!["a.org".to_owned(), "b.org".to_owned()]));
}

#[test]
fn every_table_and_unit() {
    let config = load(
        "[helm]\nhistory_tokens = 5000\ntool_result_bytes = 512\napproval_timeout_ms = 250\n\
         confirm_dangerous = false\nqueued_turns = 1\n\
         [http]\nconnect_timeout_ms = 1\nresponse_timeout_ms = 2\nidle_timeout_ms = 3\nmax_retries = 0\n\
         [limits]\nframe_bytes = 0x10_0000\nheader_bytes = 100\njson_depth = 9\nin_flight = 2\n\
         outbound_frames = 3\nwrite_timeout_ms = 4\nbuffered_events = 5\n\
         [log]\nfilter = 'debug'\n",
    );
    assert_eq!((config.helm.history_tokens, config.helm.tool_result_bytes), (5000, 512));
    assert_eq!(config.helm.approval_timeout, Duration::from_millis(250));
    assert_eq!((config.helm.confirm_dangerous, config.helm.queued_turns), (false, 1));
    assert_eq!((config.http.connect_timeout, config.http.max_retries), (Duration::from_millis(1), 0));
    assert_eq!(config.http.response_timeout, Duration::from_millis(2));
    assert_eq!(config.http.idle_timeout, Duration::from_millis(3));
    let limits = config.limits;
    assert_eq!((limits.frame_bytes, limits.header_bytes, limits.json_depth), (1 << 20, 100, 9));
    assert_eq!((limits.in_flight, limits.outbound_frames, limits.buffered_events), (2, 3, 5));
    assert_eq!(limits.write_timeout, Duration::from_millis(4));
    assert_eq!(config.log.filter, "debug");
}

#[test]
fn prices_are_dollars_for_a_million_tokens() {
    let config = load(
        "[[price]]\nprovider = 'anthropic'\nmodel = 'claude-*'\ninput = 3\noutput = 15.0\ncached_input = 0.3\n\
         cache_write = 3.75\n[[price]]\nmodel = '*'\ninput = 0\noutput = 0.000_001\n",
    );
    let dollar = 1_000_000_000;
    let claude = Price {
        provider: Some("anthropic".to_owned()),
        model: "claude-*".to_owned(),
        input: 3 * dollar,
        output: 15 * dollar,
        cached_input: Some(3 * dollar / 10),
        cache_write: Some(15 * dollar / 4),
    };
    let any =
        Price { provider: None, model: "*".to_owned(), input: 0, output: 1000, cached_input: None, cache_write: None };
    assert_eq!(config.spend.prices, [claude, any]);
    assert_eq!(config.warnings, [""; 0]);
}

#[test]
fn the_cap_is_money_wherever_it_stands() {
    let nano = |config: Config| config.spend.daily_cap_nano_usd;
    for (text, expected) in [("2.5", 2_500_000_000), ("'$2.50'", 2_500_000_000), ("3", 3_000_000_000), ("0", 0)] {
        assert_eq!(nano(load(&format!("daily_spend_cap_usd = {text}"))), Some(expected), "{text}");
    }
    let home = Home::with("");
    let env = |value| home.load(&[("DAILY_SPEND_CAP_USD", value)], &[]);
    assert_eq!(nano(env(" 0.01 ").expect("cents")), Some(10_000_000));
    assert_eq!(nano(env("").expect("unset")), None);
    for wrong in ["-1", "five", "nan", "inf", "1,5", "2000000000", "$"] {
        let error = env(wrong).expect_err(wrong).to_string();
        assert!(error.contains("DAILY_SPEND_CAP_USD must be US dollars"), "{error}");
    }
}

#[test]
fn where_the_app_server_is_and_how_far_it_may_go() {
    let bare = load("").codex.app_server;
    assert!(!bare.is_configured() && bare.refuse_methods.iter().any(|method| method == "fs/*"));
    let config = load(
        "codex_app_server_url = 'ws://127.0.0.1:4500'\ncodex_app_server_token = 'hidden'\n\
         codex_app_server_timeout_ms = 250\ncodex_bin = '/opt/codex'\n\
         [codex]\nspawn = true\nsandbox = 'read-only'\ncwd = '/project'\nenv = ['LANG']\nrefuse_methods = ['fs/*']\n\
         warm_threads = 0\n",
    );
    assert!(config.secrets().any(|secret| secret.expose() == "hidden"));
    let server = config.codex.app_server;
    assert!(server.is_configured() && server.spawn);
    assert!(matches!(server.url, Some(AppServerUrl::WebSocket(_))));
    assert_eq!((server.timeout, server.warm_threads), (Duration::from_millis(250), 0));
    assert_eq!((server.sandbox, server.cwd.as_deref()), (Sandbox::ReadOnly, Some(Path::new("/project"))));
    assert_eq!((server.env, server.refuse_methods), (vec!["LANG".to_owned()], vec!["fs/*".to_owned()]));
    let env = Home::with("").load(&[("CODEX_APP_SERVER_TIMEOUT_MS", " 40 ")], &[]).expect("a configuration");
    assert_eq!(env.codex.app_server.timeout, Duration::from_millis(40));
}

#[test]
fn a_cap_without_prices_is_warned_about() {
    let warnings = load("daily_spend_cap_usd = 1").warnings;
    assert!(warnings[0].contains("no [[price]] table"), "{warnings:?}");
    let priced = "daily_spend_cap_usd = 1\n[[price]]\nmodel = 'm'\ninput = 1\noutput = 1";
    assert_eq!(load(priced).warnings, [""; 0]);
}

#[test]
fn a_skill_has_careful_defaults() {
    let config = load("[[skill]]\nid = 'disk-usage'\ndescription = 'Free space'\ncommand = ['df', '-h']\n");
    let skill = config.skills.first().expect("a skill");
    assert!(skill.dangerous);
    assert_eq!((skill.timeout, skill.output_limit), (Duration::from_secs(30), 1024 * 1024));
    assert_eq!(skill.input_schema, json!({"type": "object"}));
    assert_eq!(skill.command, ["df", "-h"]);
}

#[test]
fn a_skill_in_full_with_its_schema_as_table_or_as_text() {
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}});
    for written in ["{ properties.n = { type = 'integer', minimum = 1 } }", &format!("'{schema}'")] {
        let config = load(&format!(
            "[[skill]]\nid = 'x'\ndescription = 'X'\ninput_schema = {written}\ndangerous = false\ncommand = ['x']\n\
             timeout_ms = 5\noutput_limit_bytes = 6\npass_env = ['LANG']\ntags = ['t']\n"
        ));
        let skill = config.skills.first().expect("a skill");
        assert_eq!(skill.input_schema, schema);
        assert_eq!((skill.dangerous, skill.timeout, skill.output_limit), (false, Duration::from_millis(5), 6));
        assert_eq!(
            (skill.pass_env.as_slice(), skill.tags.as_slice()),
            (&["LANG".to_owned()][..], &["t".to_owned()][..])
        );
    }
}

#[test]
fn unknown_keys_name_their_place_and_the_nearest() {
    use ConfigErrorKind::UnknownKey;
    refused("\nmodel_defualt = 'x'", 2, UnknownKey, &["model_defualt", "did you mean model_default?"]);
    refused("[limits]\nframe_byte = 1", 2, UnknownKey, &["limits.frame_byte", "frame_bytes"]);
    refused("limits.frame_byte = 1", 1, UnknownKey, &["limits.frame_byte", "frame_bytes"]);
    refused("[limit]\nframe_bytes = 1", 1, UnknownKey, &["limit", "limits"]);
    refused("[http]\nzzz = 1", 2, UnknownKey, &["http.zzz", "max_retries"]);
    refused("[anthropic]\napi_key = 'x'", 1, UnknownKey, &["write anthropic_api_key at the top"]);
    refused("Model_Default = 'x'", 1, UnknownKey, &["model_default"]);
    refused("[[price]]\nmodel = 'm'\ncached = 1", 3, UnknownKey, &["price[0].cached", "cached_input"]);
    refused("[[prices]]\nmodel = 'm'", 1, UnknownKey, &["prices", "price"]);
    let skill = "[[skill]]\nid = 'a'\ndescription = 'd'\ncommand = ['c']\n";
    refused(
        &format!("{skill}{skill}\ncomand = []").replace("'a'", "'b'"),
        10,
        UnknownKey,
        &["skill[1].comand", "command"],
    );
}

#[test]
fn wrong_values_name_their_place_and_what_was_expected() {
    use ConfigErrorKind::Value;
    let cases = [
        ("model_default = 1", 1, "model_default must be a string, not a whole number"),
        ("enabled_plugins = true", 1, "enabled_plugins must be a string, not true or false"),
        ("\nallowed_hosts = [\n'a.org',\n1]", 4, "allowed_hosts[1] must be a string"),
        ("helm = 1", 1, "helm must be a table"),
        ("[helm]\nqueued_turns = '1'", 2, "helm.queued_turns must be a whole number, not a string"),
        ("[helm]\nconfirm_dangerous = 1", 2, "helm.confirm_dangerous must be true or false"),
        ("[http]\nmax_retries = 11", 2, "http.max_retries must be a whole number from 0 to 10"),
        ("[limits]\nin_flight = 0", 2, "limits.in_flight must be a whole number from 1 to"),
        ("[limits]\nin_flight = -1", 2, "limits.in_flight must be"),
        ("[limits]\nin_flight = 99999999999999999999999999", 2, "limits.in_flight must be"),
        ("anthropic_base_url = 'api.example.org'", 1, "anthropic_base_url must be a URL"),
        ("model_default = 'a'\nMODEL_DEFAULT = 'b'", 2, "MODEL_DEFAULT is set twice"),
        ("open_think_state_dir = '/x'", 1, "set it in the environment"),
        ("daily_spend_cap_usd = true", 1, "daily_spend_cap_usd must be US dollars, as in 2.50"),
        ("daily_spend_cap_usd = -0.5", 1, "daily_spend_cap_usd must be US dollars, as in 2.50"),
        ("codex_app_server_timeout_ms = true", 1, "codex_app_server_timeout_ms must be whole milliseconds, from 1 to"),
        ("codex_app_server_timeout_ms = 0", 1, "codex_app_server_timeout_ms must be whole milliseconds, from 1 to"),
        ("codex_app_server_timeout_ms = '1.5'", 1, "codex_app_server_timeout_ms must be whole milliseconds, from 1 to"),
        ("codex_app_server_url = 'ftp://host'", 1, "codex_app_server_url must start with ws://"),
        ("[codex]\nsandbox = 'none'", 2, "codex.sandbox must be one of read-only, workspace-write, danger-full-access"),
        ("[codex]\nwarm_threads = 65", 2, "codex.warm_threads must be a whole number from 0 to 64"),
        ("model_default = 1.5", 1, "model_default must be a string, not a number with a point"),
        ("price = 1", 1, "price must be an array of tables, each begun with [[price]]"),
        ("[price]\nmodel = 'm'", 1, "[[price]]"),
        ("[[price]]\nmodel = 'm'\ninput = 1", 1, "price[0] lacks output"),
        ("[[price]]\ninput = 1\noutput = 1", 1, "price[0] lacks model"),
        ("[[price]]\nmodel = ''", 2, "price[0].model must name a model"),
        ("[[price]]\nmodel = 'm'\ninput = '1'", 3, "price[0].input must be a number: US dollars for a million"),
        ("[[price]]\nmodel = 'm'\ninput = -1", 3, "price[0].input must be US dollars"),
        ("[[price]]\nmodel = 'm'\ninput = nan", 3, "price[0].input is a number that JSON does not have"),
        ("[[price]]\nprovider = 1", 2, "price[0].provider must be a string"),
        ("skill = 1", 1, "skill must be an array of tables"),
        ("[skill]\nid = 'a'", 1, "[[skill]]"),
        ("[[skill]]\nid = 'a'\ndescription = 'd'", 1, "skill[0] needs command"),
        ("[[skill]]\nid = 'A b'", 2, "skill[0].id must be kebab-case"),
        ("[[skill]]\nid = 'a'\ncommand = 'df -h'", 3, "there is no shell"),
        ("[[skill]]\nid = 'a'\ncommand = []", 3, "must name a program"),
        ("[[skill]]\nid = 'a'\ntimeout_ms = 0", 3, "skill[0].timeout_ms must be"),
        ("[[skill]]\nid = 'a'\ninput_schema = '{'", 3, "is not JSON"),
        ("[[skill]]\nid = 'a'\ninput_schema = { type = 'string' }", 3, "must describe an object"),
    ];
    for (text, line, words) in cases {
        refused(text, line, Value, &[words]);
    }
    let skill = "[[skill]]\nid = 'a'\ndescription = 'd'\ncommand = ['c']\n";
    refused(&skill.repeat(2), 5, Value, &["which an earlier skill has"]);
    refused("model_default = 'x'\nhelm = {", 2, ConfigErrorKind::Syntax, &["not TOML"]);
}

#[test]
fn faults_of_environment_and_flags_name_the_setting() {
    let home = Home::with("");
    let message =
        |env: &[(&str, &str)], flags: &[(&str, &str)]| home.load(env, flags).expect_err("refused").to_string();
    let error = message(&[("OPENAI_COMPATIBLE_URL", "ftp://x")], &[]);
    assert!(error.contains("environment variable OPENAI_COMPATIBLE_URL must be a URL"), "{error}");
    let error = message(&[("ANTHROPIC_API_KEY", "two words")], &[]);
    assert!(error.contains("ANTHROPIC_API_KEY holds a space"), "{error}");
    let error = message(&[], &[("MODEL_DEFUALT", "x")]);
    assert!(error.contains("MODEL_DEFUALT") && error.contains("did you mean MODEL_DEFAULT?"), "{error}");
}

#[test]
fn a_named_file_must_be_there() {
    let home = Home::with("");
    let error = home.load(&[("OPEN_THINK_CONFIG", "/does/not/exist.toml")], &[]).expect_err("refused");
    assert_eq!(error.kind, ConfigErrorKind::Unreadable);
    assert!(error.to_string().contains("/does/not/exist.toml"), "{error}");
}

#[test]
fn a_key_that_others_may_read_is_warned_about() {
    for (text, mode, warned) in [
        ("anthropic_api_key = 'k'", 0o644, true),
        ("CLOUDFLARE_API_TOKEN = 'k'", 0o640, true),
        ("anthropic_api_key = 'k'", 0o600, false),
        ("model_default = 'm'", 0o644, false),
    ] {
        let home = Home::with(text);
        restrict(&home.file(), mode);
        let warnings = home.load(&[], &[]).expect("a configuration").warnings;
        assert_eq!(warnings.iter().any(|warning| warning.contains("chmod 600")), warned, "{text} {mode:o}");
    }
}

#[test]
fn a_filter_of_the_log_that_cannot_be_read_is_an_error_that_names_it() {
    let example = "must be a level or target=level pairs, as in info,open_think=debug";
    let home = Home::with("");
    let error = home.load(&[("OPEN_THINK_LOG", "open_think=loud")], &[]).expect_err("no level");
    assert!(error.to_string().contains("OPEN_THINK_LOG") && error.to_string().ends_with(example), "{error}");
    let error = Home::with("[log]\nfilter = 'open_think=loud'").load(&[], &[]).expect_err("no level");
    assert!(error.to_string().contains("log.filter") && error.to_string().ends_with(example), "{error}");
    assert!(home.load(&[("OPEN_THINK_LOG", "warn,open_think::codex=trace")], &[]).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is around a secret, it shows neither in the configuration nor in the error.
    #[test]
    fn secrets_never_show(tail in "[a-zA-Z0-9]{12,24}", which in 0..SETTINGS.len(), shape in 0..8usize) {
        let secret = format!("sk-{tail}");
        let setting = SETTINGS.iter().cycle().skip(which).find(|setting| setting.is_secret()).expect("some are");
        let key = setting.key().expect("secrets may stand in the file");
        let text = match shape {
            0 => format!("{key} = '{secret}'"),
            1 => format!("{key} = '{secret}"),
            2 => format!("{key} = {secret}"),
            3 => format!("{key} = ['{secret}']"),
            4 => format!("{key} = '{secret}'\n{key} = '{secret}'"),
            5 => format!("{key} = '{secret} '' '"),
            6 => format!("openai_compatible_url = 'https://{secret}@host/'"),
            _ => format!("{key} = {{ value = '{secret}' }}"),
        };
        let home = Home::with(&text);
        let env = if shape == 0 { vec![(setting.name, secret.as_str())] } else { Vec::new() };
        let shown = match home.load(&env, &[]) {
            Ok(config) => format!("{config:?} {config:#?}"),
            Err(error) => format!("{error} {error:?} {error:#?}"),
        };
        prop_assert!(!shown.to_lowercase().contains(&secret.to_lowercase()), "{}", shown);
    }
}
