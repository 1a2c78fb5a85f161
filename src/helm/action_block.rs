//! The fenced `open-think-action` blocks by which a model suggests skills in its text.

use serde::Deserialize;
use serde_json::Value;

/// A skill that the text suggests.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Suggestion {
    pub skill: String,
    #[serde(default)]
    pub input: Option<Value>,
}

const OPEN: &str = "```open-think-action";
const CLOSE: &str = "```";

/// The suggestions of a text, in order, and the text without their blocks. Malformed blocks go without a trace.
pub fn parse(text: &str) -> (Vec<Suggestion>, String) {
    let mut filter = Filter::default();
    let mut shown = filter.push(text);
    shown.push_str(&filter.finish());
    let nothing = shown.trim().is_empty();
    (filter.suggestions, if nothing { String::new() } else { shown })
}

/// Takes blocks out of a text as it streams in. Holds back no more than what may yet turn out to be a fence.
#[derive(Debug, Default)]
pub struct Filter {
    pub suggestions: Vec<Suggestion>,
    /// Text that is not decided yet: the beginning of a fence, or all of an open block.
    held: String,
    inside: bool,
    /// Line breaks that are shown once something follows them.
    breaks: usize,
    begun: bool,
    /// Nothing was shown since the last block.
    after_block: bool,
}

impl Filter {
    /// What of the text may be shown now.
    pub fn push(&mut self, text: &str) -> String {
        self.held.push_str(text);
        let mut shown = String::new();
        loop {
            if self.inside {
                let Some((body, length)) = body(&self.held) else { return shown };
                self.suggestions.extend(suggestion(body));
                self.held.drain(..length);
                self.inside = false;
                self.after_block = true;
            } else if let Some(start) = find_open(&self.held) {
                self.show(start, &mut shown);
                // Whether this is our fence shows only in the character after its name.
                match self.held[OPEN.len()..].chars().next() {
                    None => return shown,
                    Some(next) if next.is_whitespace() => self.inside = true,
                    Some(_) => self.show(OPEN.len(), &mut shown),
                }
            } else {
                let keep = possible_open(&self.held);
                self.show(self.held.len() - keep, &mut shown);
                return shown;
            }
        }
    }

    /// What was held back at the end; a block that was never closed is dropped, as a malformed one.
    pub fn finish(&mut self) -> String {
        let mut rest = String::new();
        if std::mem::take(&mut self.inside) {
            self.held.clear();
            return rest;
        }
        self.show(self.held.len(), &mut rest);
        if !self.after_block {
            rest.extend(std::iter::repeat_n('\n', std::mem::take(&mut self.breaks)));
        }
        rest
    }

    /// Passes on so many of the bytes held. A block taken out leaves one blank line, not three, and none at the ends.
    fn show(&mut self, length: usize, shown: &mut String) {
        for character in self.held.drain(..length) {
            if character == '\n' {
                self.breaks += usize::from(!self.after_block || self.breaks < 2);
                continue;
            }
            if self.begun || !self.after_block {
                shown.extend(std::iter::repeat_n('\n', self.breaks));
            }
            shown.push(character);
            (self.breaks, self.begun, self.after_block) = (0, true, false);
        }
    }
}

fn find_open(text: &str) -> Option<usize> {
    text.find(OPEN)
}

/// How many bytes at the end of the text may be the beginning of a fence.
fn possible_open(text: &str) -> usize {
    let longest = OPEN.len().min(text.len());
    (1..=longest)
        .rev()
        .find(|length| text.is_char_boundary(text.len() - length) && OPEN.starts_with(&text[text.len() - length..]))
        .unwrap_or(0)
}

/// The body of the block at the start of the text and the length of the whole, once its end has come. The body is
/// JSON, which may itself hold three backticks: the first end at which it parses counts, else the first one.
fn body(text: &str) -> Option<(&str, usize)> {
    let after = &text[OPEN.len()..];
    let ends: Vec<usize> = after.match_indices(CLOSE).map(|(at, _)| at).collect();
    let parses = |end: &&usize| serde_json::from_str::<Value>(&after[..**end]).is_ok();
    let end = ends.iter().find(parses).or_else(|| {
        // A fence that ends a line ends the block, however bad its body is.
        ends.iter().find(|end| after[..**end].ends_with('\n'))
    })?;
    Some((&after[..*end], OPEN.len() + end + CLOSE.len()))
}

fn suggestion(body: &str) -> Option<Suggestion> {
    serde_json::from_str::<Suggestion>(body).ok().filter(|suggestion| !suggestion.skill.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(text: &str, skills: &[&str], shown: &str) {
        let (suggestions, rest) = parse(text);
        let found: Vec<&str> = suggestions.iter().map(|suggestion| suggestion.skill.as_str()).collect();
        assert_eq!((found.as_slice(), rest.as_str()), (skills, shown), "{text}");
    }

    #[test]
    fn blocks_are_read_in_order_and_taken_out() {
        check("Hello.\n\n```open-think-action\n{\"skill\":\"a\"}\n```\n\nWorld.", &["a"], "Hello.\n\nWorld.");
        check(
            "```open-think-action {\"skill\":\"a\"}```\n```open-think-action\n{\"skill\":\"b\"}\n```",
            &["a", "b"],
            "",
        );
        check("no blocks", &[], "no blocks");
    }

    #[test]
    fn what_is_malformed_is_dropped() {
        check("x\n```open-think-action\nnot json\n```\ny", &[], "x\n\ny");
        check("x ```open-think-action\n{\"skill\":\"\"}\n``` y", &[], "x  y");
        check("x ```open-think-action\n{\"skill\":\"a\"}", &[], "x ");
    }

    #[test]
    fn a_text_without_blocks_is_left_as_it_is() {
        for text in ["def a():\n    pass\n\n\n\ndef b():\n", "\n\n indented", "a \r\n\r\n\r\n b"] {
            check(text, &[], text);
        }
        check(" \n ", &[], "");
    }

    #[test]
    fn other_fences_stay() {
        check("```json\n{}\n```", &[], "```json\n{}\n```");
        check("```open-think-actions\n{}\n```", &[], "```open-think-actions\n{}\n```");
        check("```open-think-act", &[], "```open-think-act");
    }

    #[test]
    fn a_body_may_hold_backticks() {
        let text = "```open-think-action\n{\"skill\":\"a\",\"input\":{\"t\":\"```sh```\"}}\n```";
        assert_eq!(parse(text).0, [Suggestion { skill: "a".into(), input: Some(json!({"t": "```sh```"})) }]);
    }

    proptest! {
        #[test]
        fn streaming_shows_the_same(cuts in prop::collection::vec(0usize..90, 0..6)) {
            let text = "Hi\n\n\n``` é\n```open-think-action\n{\"skill\":\"a\"}\n``` mid ```open-think-action\nbad\n``` end ```open";
            let mut cuts: Vec<usize> = cuts.into_iter().filter(|cut| text.is_char_boundary(*cut)).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let mut filter = Filter::default();
            let mut shown: String = cuts.windows(2).map(|pair| filter.push(&text[pair[0]..pair[1]])).collect();
            shown.push_str(&filter.finish());
            prop_assert_eq!(&shown, "Hi\n\n\n``` é\n mid  end ```open");
            prop_assert_eq!(shown, parse(text).1);
            prop_assert_eq!(filter.suggestions.len(), 1);
        }
    }
}
