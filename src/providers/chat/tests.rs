use std::collections::HashSet;

use super::decode::Decoder;
use crate::providers::fixtures;

#[test]
fn answers_are_read_as_recorded() {
    fixtures::check_all("chat", || {
        let taken = HashSet::from(["call_taken".to_owned()]);
        Decoder::new(fixtures::source(), "m".to_owned(), taken)
    });
}
