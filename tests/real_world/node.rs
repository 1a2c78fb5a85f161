//! The Node scripts, beside the packages they need.

use std::process::Command;

use crate::home::Home;
use crate::npm;

/// None where there is no Node.
pub fn script(home: &Home, name: &str) -> Option<Command> {
    let directory = npm::installed("node")?;
    let mut command = home.command("node");
    command.arg(directory.join(name));
    Some(command)
}
