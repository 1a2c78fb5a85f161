use super::decode::Decoder;
use crate::providers::fixtures;

#[test]
fn answers_are_read_as_recorded() {
    fixtures::check_all("anthropic", || Decoder::new(fixtures::source(), "claude-x".to_owned()));
}
