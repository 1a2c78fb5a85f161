//! What a person probably meant by a name that does not exist.

/// Below this a guess misleads more than it helps.
const ALIKE: f64 = 0.5;

pub(super) fn advice(word: &str, known: &[&str]) -> String {
    match nearest(word, known) {
        Some(key) => format!("did you mean {key}?"),
        None => format!("the keys here are {}", known.join(", ")),
    }
}

/// The known name that is most like the word, however it is cased.
pub fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let word = word.to_ascii_lowercase();
    let likeness = |key: &&str| strsim::normalized_damerau_levenshtein(&word, &key.to_ascii_lowercase());
    let rated = known.iter().map(|key| (likeness(key), *key));
    let best = rated.max_by(|(one, _), (other, _)| one.total_cmp(other));
    best.filter(|(likeness, _)| *likeness >= ALIKE).map(|(_, key)| key)
}

#[cfg(test)]
mod tests {
    use super::advice;

    #[test]
    fn a_slip_gets_its_key_and_nonsense_gets_the_list() {
        let known = ["frame_bytes", "json_depth"];
        assert_eq!(advice("frame_byte", &known), "did you mean frame_bytes?");
        assert_eq!(advice("JSON_DEPHT", &known), "did you mean json_depth?");
        assert_eq!(advice("zzz", &known), "the keys here are frame_bytes, json_depth");
    }
}
