//! Skills that the user makes of programs, one `[[skill]]` table each.
//!
//! A program is started as the argument vector that stands in the configuration, never by a shell. It reads the
//! skill's input as JSON and writes its result; `process` runs and ends it, `environment` says what it may see.

mod children;
mod environment;
mod process;

#[cfg(test)]
mod tests;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{Health, Plugin, Readiness, is_enabled};
use crate::config::{CommandSkill, Config};
use crate::model::ClientPlace;
use crate::policy::Redactor;
use crate::skills::{Handler, Skill, SkillError, SkillSpec};
pub use children::{Child, Children};
use environment::Own;
use process::{Ending, Output, Program};

pub const ID: &str = "command";

pub fn build(config: &Config, children: &Children) -> Plugin {
    let configured = !config.skills.is_empty();
    let readiness = if configured {
        Readiness::Configured
    } else {
        let hint = "Add a [[skill]] table with id, description and command to the configuration file.".to_owned();
        Readiness::Missing { missing: vec!["[[skill]]"], hint }
    };
    Plugin {
        id: ID,
        description: "Skills made of the user's own programs, from the configuration file.",
        enabled: is_enabled(config, ID, configured),
        readiness,
        hosts: Vec::new(),
        skills: config.skills.iter().map(|skill| skill_of(skill, config, children)).collect(),
        provider: None,
        engine: None,
        propose_only: None,
        vendors: Vec::new(),
        health: Health::default(),
    }
}

fn skill_of(skill: &CommandSkill, config: &Config, children: &Children) -> Skill {
    let spec = SkillSpec {
        id: skill.id.clone(),
        description: skill.description.clone(),
        plugin: ID.to_owned(),
        tags: skill.tags.clone(),
        input_schema: skill.input_schema.clone(),
        dangerous: skill.dangerous,
    };
    let environment = Own::of(&config.environment, &skill.pass_env);
    // A program can print what it was never given, by reading the same files.
    let secrets = config.secrets().map(|secret| secret.expose().to_owned());
    let redactor = Redactor::new(environment.secrets().chain(secrets));
    Skill::new(spec, CommandHandler { skill: skill.clone(), environment, redactor, children: children.clone() })
}

struct CommandHandler {
    skill: CommandSkill,
    environment: Own,
    redactor: Redactor,
    children: Children,
}

#[async_trait]
impl Handler for CommandHandler {
    async fn run(&self, input: Value, place: &ClientPlace) -> Result<Value, SkillError> {
        self.check(place)?;
        let program = Program {
            command: &self.skill.command,
            environment: &self.environment.with(&place.env),
            cwd: place.cwd.as_deref(),
            timeout: self.skill.timeout,
            output_limit: self.skill.output_limit,
        };
        // A line, for programs that read lines.
        let input = format!("{input}\n").into_bytes();
        let list = |pid| self.children.list(pid, &self.skill.id);
        let output = program.run(input, list).await.map_err(|error| self.not_started(&error))?;
        self.outcome(&output)
    }
}

impl CommandHandler {
    /// The fault of a directory is told as that of the program otherwise.
    fn check(&self, place: &ClientPlace) -> Result<(), SkillError> {
        match &place.cwd {
            Some(cwd) if !cwd.is_dir() => {
                let (id, cwd) = (&self.skill.id, cwd.display());
                let hint = "Start the client anew in a directory that is there.";
                Err(SkillError::new(format!(
                    "{id} could not start in '{cwd}', where its client is: there is no such directory"
                ))
                .with_hint(hint))
            }
            _ => Ok(()),
        }
    }

    fn outcome(&self, output: &Output) -> Result<Value, SkillError> {
        let id = &self.skill.id;
        let failed = |what: String| SkillError::new(format!("{id} {what}{}", self.said(&output.stderr_tail)));
        match output.ending {
            Ending::Exit(0) => Ok(parse(&self.redactor.redact(&String::from_utf8_lossy(&output.stdout)))),
            Ending::Exit(code) => Err(failed(format!("failed with exit code {code}"))),
            Ending::Signal(signal) => Err(failed(format!("was ended by signal {signal}"))),
            Ending::TimedOut => {
                let limit = self.skill.timeout;
                let hint = format!("Raise its `timeout_ms` in the configuration if {id} needs longer.");
                Err(failed(format!("was stopped after its time limit of {limit:?}")).with_hint(hint))
            }
            Ending::TooMuch => {
                let limit = self.skill.output_limit;
                let hint = format!("Make {id} print less, or raise its `output_limit_bytes` in the configuration.");
                Err(failed(format!("was stopped for printing more than {limit} bytes")).with_hint(hint))
            }
        }
    }

    fn said(&self, stderr_tail: &[u8]) -> String {
        let text = self.redactor.redact(String::from_utf8_lossy(stderr_tail).trim());
        if text.is_empty() { String::new() } else { format!(": {text}") }
    }

    fn not_started(&self, error: &std::io::Error) -> SkillError {
        let id = &self.skill.id;
        let program = self.skill.command.first().map_or("", String::as_str);
        let reason = match error.kind() {
            std::io::ErrorKind::NotFound => "there is no such program, or not its interpreter".to_owned(),
            std::io::ErrorKind::PermissionDenied => "it is not executable for this user".to_owned(),
            _ => error.to_string(),
        };
        let hint = format!("Check `command` of the skill {id} in the configuration file.");
        SkillError::new(format!("{id} could not start '{program}': {reason}")).with_hint(hint)
    }
}

fn parse(stdout: &str) -> Value {
    serde_json::from_str(stdout).unwrap_or_else(|_| json!({ "text": stdout.trim_end_matches(['\n', '\r']) }))
}
