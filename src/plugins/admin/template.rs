//! `admin-env-template`: every setting as a line of a `.env` file, commented out.

use serde_json::{Value, json};

use crate::config::{SETTINGS, Setting};

const HEAD: &str = "# Settings of open-think. To set one, take away its # and give it a value.\n";

pub(super) fn run() -> Value {
    let rows = SETTINGS.iter().map(row);
    json!({ "dotenv": HEAD.to_owned() + &rows.collect::<String>() })
}

fn row(setting: &Setting) -> String {
    let Setting { name, about, default, .. } = setting;
    let secret = if setting.is_secret() { " Secret." } else { "" };
    // A default that is a sentence says what holds, but is no value.
    let (value, otherwise) = match default {
        Some(value) if !value.contains(' ') => (*value, String::new()),
        Some(sentence) => ("", format!(" Unset: {sentence}.")),
        None => ("", String::new()),
    };
    format!("\n# {about}{secret}{otherwise}\n# {name}={value}\n")
}
