//! `[[skill]]`: a program offered as a skill.
//!
//! Checks what can be told without running it. Whether the schema is a good one, and whether the program is there, is
//! found out by those who use it.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::file::Entry;
use super::{CommandSkill, ConfigError};

const KEYS: [&str; 9] = [
    "id",
    "description",
    "input_schema",
    "dangerous",
    "command",
    "timeout_ms",
    "output_limit_bytes",
    "pass_env",
    "tags",
];

/// The longest tool name that every vendor takes.
const MAX_ID: usize = 64;
/// The longest that a skill may be given.
pub const MAX_TIMEOUT_MS: u64 = 3600 * 1000;
const MAX_OUTPUT_BYTES: u64 = 64 * 1024 * 1024;
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
const DEFAULT_OUTPUT_BYTES: usize = 1024 * 1024;

/// Takes the whole array of tables.
pub(super) fn read(array: &Entry<'_>) -> Result<Vec<CommandSkill>, ConfigError> {
    let mut skills: Vec<CommandSkill> = Vec::new();
    for table in array.elements("an array of tables, each begun with [[skill]]")? {
        let skill = read_one(&table)?;
        if skills.iter().any(|earlier| earlier.id == skill.id) {
            return Err(table.fault(&format!("has the id {}, which an earlier skill has", skill.id)));
        }
        skills.push(skill);
    }
    Ok(skills)
}

fn read_one(table: &Entry<'_>) -> Result<CommandSkill, ConfigError> {
    let mut skill = CommandSkill {
        id: String::new(),
        description: String::new(),
        input_schema: json!({"type": "object"}),
        dangerous: true,
        command: Vec::new(),
        timeout: DEFAULT_TIMEOUT,
        output_limit: DEFAULT_OUTPUT_BYTES,
        pass_env: Vec::new(),
        tags: Vec::new(),
    };
    for entry in table.table()? {
        match entry.key {
            "id" => skill.id = id(&entry)?,
            "description" => skill.description = entry.text()?.trim().to_owned(),
            "input_schema" => skill.input_schema = schema(&entry)?,
            "dangerous" => skill.dangerous = entry.boolean()?,
            "command" => skill.command = command(&entry)?,
            "timeout_ms" => skill.timeout = Duration::from_millis(entry.integer(1..=MAX_TIMEOUT_MS)?),
            "output_limit_bytes" => {
                let limit = entry.integer(1..=MAX_OUTPUT_BYTES)?;
                skill.output_limit = usize::try_from(limit).unwrap_or(usize::MAX);
            }
            "pass_env" => skill.pass_env = entry.texts()?,
            "tags" => skill.tags = entry.texts()?,
            _ => return Err(entry.unknown(KEYS)),
        }
    }
    let missing = [
        ("id", skill.id.is_empty()),
        ("description", skill.description.is_empty()),
        ("command", skill.command.is_empty()),
    ];
    match missing.iter().find(|(_, missing)| *missing) {
        Some((key, _)) => Err(table.fault(&format!("needs {key}"))),
        None => Ok(skill),
    }
}

fn id(entry: &Entry<'_>) -> Result<String, ConfigError> {
    let id = entry.text()?;
    if is_skill_id(&id) { Ok(id) } else { Err(entry.fault(SKILL_ID)) }
}

/// What a skill's id must be.
pub const SKILL_ID: &str = "must be kebab-case, as in disk-usage, and at most 64 letters long";

pub fn is_skill_id(id: &str) -> bool {
    let letters = id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    let kebab = letters && id.starts_with(|first: char| first.is_ascii_lowercase()) && !id.ends_with('-');
    kebab && id.len() <= MAX_ID
}

fn command(entry: &Entry<'_>) -> Result<Vec<String>, ConfigError> {
    if entry.is_text() {
        return Err(entry.fault("must be an array, one argument each, as in [\"df\", \"-h\"]: there is no shell"));
    }
    let argv = entry.texts()?;
    match argv.first() {
        Some(program) if !program.trim().is_empty() => Ok(argv),
        _ => Err(entry.fault("must name a program first")),
    }
}

/// A table, or the same as JSON text.
fn schema(entry: &Entry<'_>) -> Result<Value, ConfigError> {
    let value = if entry.is_text() {
        serde_json::from_str(&entry.text()?).map_err(|error| entry.fault(&format!("is not JSON: {error}")))?
    } else {
        entry.json()?
    };
    let Value::Object(members) = value else { return Err(entry.fault("must be a table, or JSON text of an object")) };
    match members.get("type") {
        Some(kind) if kind != "object" => Err(entry.fault("must describe an object: its type must be \"object\"")),
        Some(_) => Ok(Value::Object(members)),
        None => {
            let mut whole = Map::from_iter([("type".to_owned(), json!("object"))]);
            whole.extend(members);
            Ok(Value::Object(whole))
        }
    }
}
