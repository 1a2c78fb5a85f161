//! Parameters read with a fault that says where and what, and which name may have been meant.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::error::ApiError;
use crate::protocol::Code;

/// Missing parameters are an empty object.
pub fn parse<T: DeserializeOwned>(text: Option<&str>) -> Result<T, ApiError> {
    let text = text.unwrap_or("{}");
    let mut deserializer = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut deserializer).or_else(|error| match without_nulls(text) {
        Some(params) => serde_path_to_error::deserialize(params).map_err(|error| located(&error)),
        None => Err(located(&error)),
    })
}

/// Some clients say `null` for what others leave out.
fn without_nulls(text: &str) -> Option<Value> {
    let mut params: Map<String, Value> = serde_json::from_str(text).ok()?;
    let before = params.len();
    params.retain(|_, value| !value.is_null());
    (params.len() < before).then(|| params.into())
}

fn located(error: &serde_path_to_error::Error<serde_json::Error>) -> ApiError {
    let path = error.path().to_string();
    let path = if path == "." { None } else { Some(path) };
    fault(path.as_deref(), &reason(error.inner()))
}

/// The sentence without the place in the text, which nobody can look up.
fn reason(error: &serde_json::Error) -> String {
    const TYPES: [(&str, &str); 3] = [
        ("expected u32", "expected a whole number"),
        ("expected u64", "expected a whole number"),
        ("expected a sequence", "expected an array"),
    ];
    let text = error.to_string();
    let reason = text.rsplit_once(" at line ").map_or(text.as_str(), |(reason, _)| reason);
    TYPES.iter().fold(reason.to_owned(), |reason, (ours, theirs)| reason.replace(ours, theirs))
}

fn fault(path: Option<&str>, reason: &str) -> ApiError {
    let at = |name: &str| match path {
        Some(path) if path != name => format!("{path}.{name}"),
        _ => name.to_owned(),
    };
    if let Some(name) = quoted(reason, "missing field `") {
        return ApiError::new(Code::BadRequest, format!("parameter '{}' is missing", at(name)));
    }
    if let Some(name) = quoted(reason, "unknown field `") {
        let known: Vec<&str> = reason.split('`').skip(3).step_by(2).collect();
        let near = nearest(name, known.iter().copied());
        // The unknown field itself is the end of the path.
        let place = path.filter(|path| *path == name || path.ends_with(&format!(".{name}"))).unwrap_or(name);
        return ApiError::new(Code::BadRequest, format!("there is no parameter '{place}'"))
            .with_hint(format!("The parameters are {}.", known.join(", ")))
            .did_you_mean(near);
    }
    if let Some(name) = quoted(reason, "unknown variant `") {
        let known: Vec<&str> = reason.split('`').skip(3).step_by(2).collect();
        let place = path.unwrap_or("params");
        return ApiError::new(Code::BadRequest, format!("parameter '{place}' cannot be '{name}'"))
            .with_hint(format!("It is one of {}.", known.join(", ")))
            .did_you_mean(nearest(name, known.iter().copied()));
    }
    let place = path.map_or_else(|| "the parameters".to_owned(), |path| format!("parameter '{path}'"));
    ApiError::new(Code::BadRequest, format!("{place}: {reason}"))
}

fn quoted<'a>(text: &'a str, before: &str) -> Option<&'a str> {
    text.strip_prefix(before)?.split('`').next()
}

/// Names that may have been meant, the closest first.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Vec<String> {
    const CLOSE_ENOUGH: f64 = 0.75;
    let lower = name.to_lowercase();
    let mut scored: Vec<(f64, &str)> =
        known.map(|known| (strsim::jaro_winkler(&lower, &known.to_lowercase()), known)).collect();
    scored.retain(|(score, _)| *score >= CLOSE_ENOUGH);
    scored.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    scored.into_iter().take(3).map(|(_, known)| known.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{ApproveParams, MessageParams};

    #[track_caller]
    fn check<T: DeserializeOwned + std::fmt::Debug>(params: &str, message: &str, meant: &[&str]) {
        let error = parse::<T>(Some(params)).expect_err("bad parameters");
        let data = error.data();
        assert_eq!(data.message, message);
        assert_eq!(data.did_you_mean.clone().unwrap_or_default(), meant, "{params}");
    }

    #[test]
    fn faults_name_the_parameter() {
        check::<MessageParams>("{}", "parameter 'content' is missing", &[]);
        check::<MessageParams>(
            r#"{"content":"a","sesionName":"b"}"#,
            "there is no parameter 'sesionName'",
            &["sessionName"],
        );
        check::<MessageParams>(r#"{"content":"a","mode":"atuo"}"#, "parameter 'mode' cannot be 'atuo'", &["auto"]);
        check::<MessageParams>(
            r#"{"content":"a","maxIterations":"six"}"#,
            "parameter 'maxIterations': invalid type: string \"six\", expected a whole number",
            &[],
        );
        check::<ApproveParams>(r#"{"actionIds":[],"decision":"yes"}"#, "parameter 'decision' cannot be 'yes'", &[]);
        check::<ApproveParams>(r#"{"decision":"deny"}"#, "parameter 'actionIds' is missing", &[]);
        check::<ApproveParams>(r#"{"actionIds":null,"decision":"deny"}"#, "parameter 'actionIds' is missing", &[]);
        check::<MessageParams>(
            r#"{"content":7,"mode":null}"#,
            "parameter 'content': invalid type: integer `7`, expected a string or an array of blocks",
            &[],
        );
        check::<MessageParams>(
            r#"{"content":[{"type":"text","text":"a"},{"type":"sound"}]}"#,
            "parameter 'content[1].type' cannot be 'sound'",
            &[],
        );
    }
}
