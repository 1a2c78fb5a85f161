//! `doctor`: what is wrong with this installation, and the command that mends it. It needs no network, asks nobody but
//! the usual ports of this machine and the app-server that is configured, and a fault that would stop every other
//! command is only one more finding here.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::cli::client::Client;
use crate::cli::examined;
use crate::cli::exit::Exit;
use crate::cli::login::date;
use crate::cli::terminal::{Style, Terminal};
use crate::config::{Config, ConfigError, Sources};
use crate::daemon::Daemon;
use crate::http;
use crate::model::ProviderError;
use crate::plugins::codex::Now;
use crate::plugins::{self, Loaded, LocalServer, Plugin, Readiness};
use crate::protocol::{CodexLink, CodexProblem, CodexStatusParams, CodexStatusResult, Empty, SkillInvokeParams, names};

#[derive(Args)]
pub struct DoctorArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
pub struct Finding {
    /// What was looked at.
    area: &'static str,
    level: Level,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Ok,
    /// Not set up, and nobody asked for it.
    Info,
    Warn,
    Fail,
}

pub fn run(args: &DoctorArgs, sources: Sources, terminal: &Terminal) -> anyhow::Result<Exit> {
    let findings = examine(sources)?;
    let failed = findings.iter().any(|finding| finding.level == Level::Fail);
    if args.json {
        terminal.print_json(&json!({"ok": !failed, "findings": findings}))?;
    } else {
        for finding in &findings {
            terminal.print_line(&finding.shown(terminal))?;
        }
    }
    Ok(if failed { Exit::Failed } else { Exit::Done })
}

fn examine(sources: Sources) -> anyhow::Result<Vec<Finding>> {
    let config = match Config::examine(sources.clone()) {
        Ok((_, faults)) if faults.is_empty() => Config::load(sources.clone()).map_err(|fault| vec![fault]),
        Ok((_, faults)) => Err(faults),
        Err(fault) => Err(vec![fault]),
    };
    let mut findings = match &config {
        Ok(config) => configuration(config),
        Err(faults) => faults.iter().map(unusable).collect(),
    };
    // Where there is none, a fault says so. Nothing else here needs more of the configuration.
    let state_dir = sources.state_dir().ok();
    findings.extend(state_dir.as_deref().map(state));
    let writable = findings.last().is_some_and(|finding| finding.area == "state" && finding.level == Level::Ok);
    findings.extend(state_dir.filter(|_| writable).map(|state_dir| examined::log_file(&state_dir)));
    findings.extend(config.iter().flat_map(|config| examined::secrets(config, &sources)));
    findings.extend(examined::service(&sources));
    let runtime = super::runtime()?;
    findings.push(runtime.block_on(examined::shared_daemon(&sources)));
    let Ok(config) = config else { return Ok(findings) };
    match plugins::load(&config, None) {
        Ok(loaded) => {
            findings.extend(loaded_plugins(&config, &loaded));
            findings.extend(loaded.codex.sign_in.standing().map(sign_in));
            findings.extend(runtime.block_on(loaded.local_servers.find()).iter().map(local_server));
        }
        Err(error) => {
            findings.push(Finding::new("plugins", Level::Fail, &error.to_string()));
            return Ok(findings);
        }
    }
    if writable {
        findings.extend(runtime.block_on(daemon(&config)));
    }
    Ok(findings)
}

fn unusable(fault: &ConfigError) -> Finding {
    let finding = Finding::new("configuration", Level::Fail, &fault.to_string());
    finding.mended_by("Mend it; open-think config check says whether it is good.")
}

fn configuration(config: &Config) -> Vec<Finding> {
    let file = config.file.display();
    let found = match config.file.as_os_str().is_empty() {
        true => "there is no home to look for a file in; the defaults hold".to_owned(),
        false if config.file.is_file() => format!("{file} is read"),
        false => format!("there is no {file}; the defaults hold"),
    };
    let mut findings = vec![Finding::new("configuration", Level::Ok, &found)];
    findings.extend(http::check(config).err().map(|error| {
        let finding = Finding::new("configuration", Level::Warn, &format!("HTTP would be off: {error}"));
        finding.mended_by("Mend it; open-think config check says whether it is good.")
    }));
    findings.extend(config.warnings.iter().map(|warning| Finding::new("configuration", Level::Warn, warning)));
    findings
}

/// A file is made and taken away: rights alone do not tell of a full disk.
fn state(dir: &Path) -> Finding {
    let probe = dir.join(format!(".doctor-{}", std::process::id()));
    let written = fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .and_then(|()| fs::write(&probe, b"probe"))
        .and_then(|()| fs::remove_file(&probe));
    let shown = dir.display();
    match written {
        Ok(()) => Finding::new("state", Level::Ok, &format!("{shown} can be written to")),
        Err(error) => {
            let fix = match error.kind() {
                io::ErrorKind::PermissionDenied => format!("Run chmod u+rwx '{shown}', or set OPEN_THINK_STATE_DIR."),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "Free some space.".to_owned(),
                _ => "Set OPEN_THINK_STATE_DIR to a directory that can be written to.".to_owned(),
            };
            Finding::new("state", Level::Fail, &format!("{shown} cannot be written to: {error}")).mended_by(&fix)
        }
    }
}

fn loaded_plugins(config: &Config, loaded: &Loaded) -> Vec<Finding> {
    let asked_for = |plugin: &Plugin| config.enabled_plugins.as_ref().is_some_and(|_| plugin.enabled);
    let finding = |plugin: &Plugin| match plugin.readiness_now() {
        Readiness::Configured if plugin.enabled => {
            let skills = plugin.skills.len();
            Finding::new("plugin", Level::Ok, &format!("{} is enabled and configured ({skills} skills)", plugin.id))
        }
        Readiness::Configured => {
            let message = format!("{} is configured, but ENABLED_PLUGINS leaves it out", plugin.id);
            Finding::new("plugin", Level::Info, &message)
        }
        readiness @ Readiness::Missing { .. } => {
            let level = if asked_for(plugin) { Level::Warn } else { Level::Info };
            let message = format!("{} lacks {}", plugin.id, readiness.lack().unwrap_or_default());
            Finding::new("plugin", level, &message).mended_by(readiness.hint())
        }
    };
    let mut findings: Vec<Finding> = loaded.plugins.iter().map(finding).collect();
    let hosts: Vec<String> = loaded.hosts.iter().map(ToString::to_string).collect();
    let hosts = if hosts.is_empty() { "none".to_owned() } else { hosts.join(", ") };
    findings.push(Finding::new("hosts", Level::Ok, &format!("allowed: {hosts}")));
    findings
}

/// Without asking anybody: whether it is still taken, `codex-status` finds out.
fn sign_in(standing: Result<Now, ProviderError>) -> Finding {
    let now = match standing {
        Ok(now) => now,
        Err(error) => {
            let fix = error.hint.map(|hint| format!("To mend it, {hint}."));
            return Finding { fix, ..Finding::new("sign-in", Level::Warn, &error.message) };
        }
    };
    let of = match now.owner {
        "daemon" => "the daemon's own, refreshed by it",
        "codex-cli" => "the Codex CLI's, and refreshed by that",
        _ => "that of the settings, which nobody refreshes",
    };
    let plan = now.plan.map(|plan| format!(" with the plan {plan}")).unwrap_or_default();
    let who = now.account.unwrap_or_else(|| "an account that is not named".to_owned());
    let until = now.expires_at.and_then(date).map(|date| format!("; it holds until {date}"));
    let message = format!("ChatGPT is asked for {who}{plan}; the sign-in is {of}{}", until.unwrap_or_default());
    Finding::new("sign-in", Level::Ok, &message)
}

fn local_server(server: &LocalServer) -> Finding {
    let models = match server.models.as_slice() {
        [] => "without a model".to_owned(),
        [one] => format!("with the model {one}"),
        [first, ..] => format!("with {} models, {first} among them", server.models.len()),
    };
    let message = format!("{} answers at {} {models}, and is not used", server.name, server.url);
    let fix = match server.left_out {
        true => format!("To use it, {}.", server.hint()),
        false => format!("Run export {} to use it.", server.setting()),
    };
    Finding::new("local", Level::Info, &message).mended_by(&fix)
}

/// Opens the daemon and lets it examine its sessions and itself.
async fn daemon(config: &Config) -> Vec<Finding> {
    let fault = |error: anyhow::Error| vec![Finding::new("daemon", Level::Fail, &format!("{error:#}"))];
    let daemon = match Daemon::open(config).await {
        Ok(daemon) => Arc::new(daemon),
        Err(error) => return fault(error),
    };
    let findings = examined(&daemon, &config.warnings).await.unwrap_or_else(fault);
    daemon.stop().await;
    findings
}

/// `told` is what was found already.
async fn examined(daemon: &Arc<Daemon>, told: &[String]) -> anyhow::Result<Vec<Finding>> {
    let (client, _inbound) = Client::connect(daemon, false).await?;
    let sessions = match client.call::<names::SessionsList>(&Empty {}).await {
        Ok(list) => {
            Finding::new("sessions", Level::Ok, &format!("the file can be read; sessions: {}", list.sessions.len()))
        }
        Err(error) => Finding::new("sessions", Level::Fail, &error.to_string()),
    };
    let codex = app_server(client.call::<names::CodexStatus>(&CodexStatusParams { probe: true }).await?);
    let issues = self_examination(&client).await?;
    let issues = issues.into_iter().filter(|issue| !told.contains(&issue.problem)).filter_map(Issue::finding);
    Ok(std::iter::once(sessions).chain(codex).chain(issues).collect())
}

/// What the app-server says, or what stands in the way; nothing if there is none.
fn app_server(status: CodexStatusResult) -> Option<Finding> {
    let CodexLink { endpoint, server, .. } = status.link?;
    if let Some(CodexProblem { kind, message, hint }) = status.problem {
        // It will pass.
        let level = if kind == "usage-limit-reached" { Level::Warn } else { Level::Fail };
        let finding = Finding::new("codex", level, &format!("{message} ({endpoint})"));
        return Some(hint.iter().fold(finding, |finding, hint| finding.mended_by(hint)));
    }
    let version = server.and_then(|server| server.version).unwrap_or_else(|| "of no version".to_owned());
    Some(Finding::new("codex", Level::Ok, &format!("the app-server {version} answers ({endpoint})")))
}

/// One of what `admin-health-check` finds.
#[derive(Deserialize)]
struct Issue {
    plugin: Option<String>,
    severity: String,
    problem: String,
    fix: String,
}

async fn self_examination(client: &Client) -> anyhow::Result<Vec<Issue>> {
    let skill = "admin-health-check".to_owned();
    let params = SkillInvokeParams { skill, input: None, confirm: false };
    // Where its plugin is not enabled, the daemon has nothing to say of itself.
    let Ok(result) = client.call::<names::SkillsInvoke>(&params).await else { return Ok(Vec::new()) };
    Ok(serde_json::from_value(result.data.get("issues").cloned().unwrap_or(Value::Array(Vec::new())))?)
}

impl Issue {
    /// What was found already, a plugin that lacks a setting, is not said twice.
    fn finding(self) -> Option<Finding> {
        let level = match self.severity.as_str() {
            "error" => Level::Fail,
            "warning" => Level::Warn,
            _ => Level::Info,
        };
        let said = self.plugin.is_some() && self.problem.contains(" lacks ");
        (!said).then(|| Finding::new("health", level, &self.problem).mended_by(&self.fix))
    }
}

impl Finding {
    pub fn new(area: &'static str, level: Level, message: &str) -> Self {
        Self { area, level, message: message.to_owned(), fix: None }
    }

    pub fn mended_by(mut self, fix: &str) -> Self {
        self.fix = Some(fix.to_owned());
        self
    }

    fn shown(&self, terminal: &Terminal) -> String {
        let (mark, style) = match self.level {
            Level::Ok => ("ok  ", Style::Good),
            Level::Info => ("-   ", Style::Dim),
            Level::Warn => ("warn", Style::Warning),
            Level::Fail => ("fail", Style::Bad),
        };
        let fix = self.fix.as_ref().map(|fix| format!("\n      {fix}")).unwrap_or_default();
        let text = format!("{}: {}{fix}", self.area, self.message);
        format!("{}  {}", terminal.output.paint(style, mark), terminal.output.foreign(&text))
    }
}
