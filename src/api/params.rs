//! Parameters read with a fault that says where and what, and which name may have been meant.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use serde_path_to_error::{Segment, Segments};

use super::error::ApiError;
use crate::protocol::Code;

/// Missing parameters are an empty object. A member that is at fault and is nothing is taken for one that is left out.
pub fn parse<T: DeserializeOwned>(text: Option<&str>) -> Result<T, ApiError> {
    // More than any method has.
    const MOST: usize = 32;
    let mut text = Cow::Borrowed(text.unwrap_or("{}"));
    for _ in 0..MOST {
        let error = match read(&text) {
            Ok(params) => return Ok(params),
            Err(error) => error,
        };
        let without = without_nothing(&text, &mut error.path().iter());
        text = Cow::Owned(without.ok_or_else(|| located(&error))?);
    }
    read(&text).map_err(|error| located(&error))
}

/// The same for those who only look on: what is wrong with them others say.
pub fn read_params<T: DeserializeOwned>(text: &str) -> Option<T> {
    parse(Some(text)).ok()
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, serde_path_to_error::Error<serde_json::Error>> {
    serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(text))
}

/// The document without the first member on the way that is nothing; the rest stays as it was written.
fn without_nothing(text: &str, path: &mut Segments<'_>) -> Option<String> {
    let key = match path.next()? {
        Segment::Map { key } => key,
        Segment::Seq { index } => {
            let mut items: Vec<Box<RawValue>> = serde_json::from_str(text).ok()?;
            let item = items.get_mut(*index)?;
            *item = RawValue::from_string(without_nothing(item.get(), path)?).ok()?;
            return serde_json::to_string(&items).ok();
        }
        _ => return None,
    };
    let Members(mut members) = serde_json::from_str(text).ok()?;
    let at = members.iter().position(|(name, _)| name == key)?;
    if is_nothing(&members[at].1) {
        members.remove(at);
    } else {
        let rest = without_nothing(members[at].1.get(), path)?;
        members[at].1 = RawValue::from_string(rest).ok()?;
    }
    serde_json::to_string(&Members(members)).ok()
}

/// Of an object, as they were written: one that stands there twice is refused by whoever reads them.
struct Members(Vec<(String, Box<RawValue>)>);

impl Serialize for Members {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AsWritten;

        impl<'de> Visitor<'de> for AsWritten {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(AsWritten)
    }
}

/// Some clients say `null` for what others leave out; an editor that has one word for nothing says `{}`, and one whose
/// tables are arrays `[]`.
fn is_nothing(value: &RawValue) -> bool {
    let text = value.get();
    let inside = |start, end| text.strip_prefix(start).and_then(|text: &str| text.strip_suffix(end));
    let inside = inside('{', '}').or_else(|| inside('[', ']'));
    text == "null" || inside.is_some_and(|inside| inside.trim_ascii().is_empty())
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
        return ApiError::new(Code::BadRequest, format!("there is no parameter '{}'", shown(place)))
            .with_hint(format!("The parameters are {}.", known.join(", ")))
            .did_you_mean(near);
    }
    if let Some(name) = quoted(reason, "unknown variant `") {
        let known: Vec<&str> = reason.split('`').skip(3).step_by(2).collect();
        let place = path.unwrap_or("params");
        return ApiError::new(Code::BadRequest, format!("parameter '{place}' cannot be '{}'", shown(name)))
            .with_hint(format!("It is one of {}.", known.join(", ")))
            .did_you_mean(nearest(name, known.iter().copied()));
    }
    let place = path.map_or_else(|| "the parameters".to_owned(), |path| format!("parameter '{path}'"));
    ApiError::new(Code::BadRequest, format!("{place}: {reason}"))
}

fn quoted<'a>(text: &'a str, before: &str) -> Option<&'a str> {
    text.strip_prefix(before)?.split('`').next()
}

/// A name as a message repeats it: not all of one that has no end.
pub fn shown(name: &str) -> String {
    const LONGEST: usize = 100;
    match name.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}

/// Names that may have been meant, the closest first.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Vec<String> {
    const CLOSE_ENOUGH: f64 = 0.75;
    // Nobody mistypes a name that long, and comparing takes the square of it.
    const LONGEST: usize = 64;
    if name.len() > LONGEST {
        return Vec::new();
    }
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
    use crate::protocol::{ApproveParams, CodexRpcParams, InitializeParams, MessageParams, SkillsRegisterParams};

    #[track_caller]
    fn check<T: DeserializeOwned + fmt::Debug>(params: &str, message: &str, meant: &[&str]) {
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

    #[test]
    fn what_is_nothing_is_left_out_where_it_is_at_fault() {
        let nothing =
            r#"{"content":"a","mode":{},"stream":[],"maxIterations":null,"fallbackModels":{},"provider":{ }}"#;
        let params: MessageParams = parse(Some(nothing)).expect("good parameters");
        assert!((params.mode, params.provider, params.stream) == (None, None, false) && params.max_iterations == 6);
        let deep = r#"{"clientInfo":{"name":"a","version":{}},"capabilities":{"approvals":null}}"#;
        let params: InitializeParams = parse(Some(deep)).expect("good parameters");
        assert!(params.client_info.is_some_and(|info| info.version.is_none()) && !params.capabilities.approvals);
        let inside = r#"{"skills":[{"id":"a","description":"b","dangerous":{},"timeoutMs":[]}]}"#;
        let params: SkillsRegisterParams = parse(Some(inside)).expect("good parameters");
        assert!(params.skills[0].dangerous.is_none() && params.skills[0].timeout_ms.is_none());
        let given = parse::<ApproveParams>(Some(r#"{"actionIds":["a"],"decision":"approve","input":{},"wait":{}}"#));
        assert_eq!(given.expect("good parameters").input, Some(serde_json::json!({})), "it may be meant");
        let twice = r#"{"actionIds":["a"],"decision":"deny","stream":null,"decision":"approve"}"#;
        check::<ApproveParams>(twice, "the parameters: duplicate field `decision`", &[]);
        check::<MessageParams>(r#"{"content":{},"mode":{}}"#, "parameter 'content' is missing", &[]);
        let many: Vec<String> = (0..1000).map(|number| format!("\"m{number}\":null")).collect();
        let many = format!("{{{}}}", many.join(","));
        assert!(parse::<MessageParams>(Some(&many)).is_err(), "what is unknown is not read for ever");
    }

    #[test]
    fn what_is_passed_on_stays_as_it_was_written() {
        let inner = r#"{"b": 9007199254740993,"a":1.10, "c":"\u00e9","n":null}"#;
        for text in [
            format!(r#"{{"method":"m","params":{inner},"timeoutMs":5}}"#),
            format!(r#"{{"params":{inner},"timeoutMs":null,"confirm":null,"method":"m"}}"#),
        ] {
            let params: CodexRpcParams = parse(Some(&text)).expect("good parameters");
            assert_eq!(params.params.expect("parameters within").get(), inner, "{text}");
        }
        check::<CodexRpcParams>(r#"{"metod":"m"}"#, "there is no parameter 'metod'", &["method"]);
    }
}
