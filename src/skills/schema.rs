//! Checking a skill's input against its JSON Schema.

use std::fmt;

use jsonschema::Validator;
use serde_json::Value;

/// The faults are for a model as much as for a person: each says where and what.
#[derive(Clone, Debug, PartialEq)]
pub struct SchemaFault {
    pub faults: Vec<String>,
}

/// More than these say nothing new, and the text goes back to a model.
const MAX_FAULTS: usize = 5;

/// Remote references are never followed: the crate is built without a resolver.
pub(super) fn compile(schema: &Value) -> Result<Validator, String> {
    jsonschema::validator_for(schema).map_err(|error| error.to_string())
}

pub(super) fn check(validator: &Result<Validator, String>, input: &Value) -> Result<(), SchemaFault> {
    let validator = match validator {
        Ok(validator) => validator,
        Err(error) => {
            return Err(SchemaFault { faults: vec![format!("the skill's own schema is not valid: {error}")] });
        }
    };
    let faults: Vec<String> = validator.iter_errors(input).take(MAX_FAULTS).map(|error| describe(&error)).collect();
    if faults.is_empty() { Ok(()) } else { Err(SchemaFault { faults }) }
}

fn describe(error: &jsonschema::ValidationError<'_>) -> String {
    match error.instance_path().as_str() {
        "" => format!("input: {error}"),
        path => format!("input{}: {error}", path.replace('/', ".")),
    }
}

impl fmt::Display for SchemaFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.faults.join("; "))
    }
}
