//! What Codex has done of its own, as it is told: bounded, and by the names that skills would have.

use serde_json::{Value, json};

use super::wire::{Item, ItemStatus};
use crate::model::Deed;

pub const COMMAND: &str = "codex-command";
pub const FILE_CHANGE: &str = "codex-file-change";
const MCP_TOOL: &str = "codex-mcp-tool";
const WEB_SEARCH: &str = "codex-web-search";

/// What is kept of an output: the end says most.
const OUTPUT: usize = 32 * 1024;

/// None of what only speaks, and of skills of ours, which are traced where they run.
pub fn deed(item: &Item) -> Option<Deed> {
    let (id, name, input, outcome, time) = match item {
        Item::CommandExecution { id, command, cwd, status, aggregated_output, exit_code, time } => {
            let output = bounded(aggregated_output.as_deref().unwrap_or_default());
            let outcome = match (status, exit_code) {
                (ItemStatus::Declined, _) => Err("the command was declined".to_owned()),
                (ItemStatus::Completed, _) => Ok(json!({ "exitCode": exit_code, "output": output })),
                (_, Some(code)) => Err(format!("the command ended with {code}\n{output}")),
                (_, None) => Err(format!("the command failed\n{output}")),
            };
            (id, COMMAND, json!({ "command": command, "cwd": cwd }), outcome, time)
        }
        Item::FileChange { id, changes, status, time } => {
            (id, FILE_CHANGE, json!({ "changes": changes }), plain(*status, "the change"), time)
        }
        Item::McpToolCall { id, server, tool, arguments, status, result, error, time } => {
            let input = json!({ "server": server, "tool": tool, "arguments": arguments });
            let outcome = match (error, status) {
                (Some(error), _) => Err(bounded(&error.message)),
                (None, ItemStatus::Completed) => Ok(bounded_value(result)),
                (None, status) => plain(*status, "the call"),
            };
            (id, MCP_TOOL, input, outcome, time)
        }
        Item::WebSearch { id, query, action, time } => {
            (id, WEB_SEARCH, json!({ "query": query }), Ok(json!({ "action": action })), time)
        }
        _ => return None,
    };
    let outcome = outcome.map_err(|why| why.trim_end().to_owned());
    Some(Deed { id: id.clone(), name: name.to_owned(), input, outcome, duration_ms: time.duration_ms() })
}

fn plain(status: ItemStatus, what: &str) -> Result<Value, String> {
    match status {
        ItemStatus::Completed => Ok(json!({ "status": "completed" })),
        ItemStatus::Declined => Err(format!("{what} was declined")),
        _ => Err(format!("{what} failed")),
    }
}

fn bounded_value(value: &Value) -> Value {
    let text = value.to_string();
    if text.len() > OUTPUT { Value::String(bounded(&text)) } else { value.clone() }
}

fn bounded(text: &str) -> String {
    if text.len() <= OUTPUT {
        return text.to_owned();
    }
    let mut from = text.len() - OUTPUT;
    while !text.is_char_boundary(from) {
        from += 1;
    }
    format!("[{from} bytes left out]\n{}", &text[from..])
}
