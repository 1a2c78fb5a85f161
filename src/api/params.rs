//! Parameters read with a fault that says where and what, and which name may have been meant.

use serde::de::DeserializeOwned;

use super::error::ApiError;
use crate::protocol::Code;

/// Missing parameters are an empty object.
pub fn parse<T: DeserializeOwned>(text: Option<&str>) -> Result<T, ApiError> {
    let text = text.unwrap_or("{}");
    let mut deserializer = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let path = if path == "." { None } else { Some(path) };
        fault(path.as_deref(), &reason(error.inner()))
    })
}

/// The sentence without the place in the text, which nobody can look up.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((reason, _)) => reason.to_owned(),
        None => text,
    }
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
            "parameter 'maxIterations': invalid type: string \"six\", expected u32",
            &[],
        );
        check::<ApproveParams>(r#"{"actionIds":[],"decision":"yes"}"#, "parameter 'decision' cannot be 'yes'", &[]);
        check::<ApproveParams>(r#"{"decision":"deny"}"#, "parameter 'actionIds' is missing", &[]);
    }
}
