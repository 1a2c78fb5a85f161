//! A command as its words, quoted as a shell would have it. There is no shell: nothing is expanded or piped.

pub(super) fn split(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            ' ' | '\t' | '\n' | '\r' => words.extend(word.take()),
            '\'' => loop {
                match letters.next() {
                    Some('\'') => break,
                    inner => word.get_or_insert_default().push(inner.ok_or(OPEN)?),
                }
            },
            '"' => quoted(&mut letters, word.get_or_insert_default())?,
            '\\' => word.get_or_insert_default().push(letters.next().ok_or("ends in a backslash")?),
            other => word.get_or_insert_default().push(other),
        }
        if letter == '\'' {
            word.get_or_insert_default();
        }
    }
    words.extend(word);
    Ok(words)
}

const OPEN: &str = "has a quotation mark that is never closed";

/// To the closing mark, before which a backslash stands for the mark or itself alone.
fn quoted(letters: &mut std::str::Chars<'_>, word: &mut String) -> Result<(), String> {
    loop {
        match letters.next().ok_or(OPEN)? {
            '"' => return Ok(()),
            '\\' => match letters.next().ok_or(OPEN)? {
                escaped @ ('"' | '\\') => word.push(escaped),
                other => word.extend(['\\', other]),
            },
            other => word.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn quotes_keep_words_together_and_nothing_is_expanded() {
        let check = |text: &str, expected: &[&str]| assert_eq!(split(text).expect(text), expected, "{text}");
        check("pass show  open-think/key", &["pass", "show", "open-think/key"]);
        check(r#"op read "op://My Vault/a\"b\\\n""#, &["op", "read", r#"op://My Vault/a"b\\n"#]);
        check(r"a 'b  c'd \  '' e", &["a", "b  cd", " ", "", "e"]);
        check("echo $HOME `x` | y; z > f", &["echo", "$HOME", "`x`", "|", "y;", "z", ">", "f"]);
        check("  ", &[]);
        for wrong in ["a 'b", "a \"b", "a \"b\\", "a \\"] {
            assert!(split(wrong).is_err(), "{wrong}");
        }
    }
}
