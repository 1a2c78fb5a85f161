//! What a call costs by the `[[price]]` tables. Sums are made wide and stop at the largest number.

use crate::config::Price;
use crate::model::Usage;

/// Prices are for so many tokens.
const TOKENS: u128 = 1_000_000;

/// The first that is for this model of this plugin.
pub(super) fn find<'a>(prices: &'a [Price], provider: &str, model: &str) -> Option<&'a Price> {
    let of_provider = |price: &Price| price.provider.as_ref().is_none_or(|id| id == provider);
    prices.iter().find(|price| of_provider(price) && matches(&price.model, model))
}

/// In billionths of a US dollar, rounded.
pub(super) fn cost(price: &Price, usage: &Usage) -> u64 {
    let Usage { input_tokens, output_tokens, cached_tokens, cache_write_tokens, .. } = *usage;
    let (cached, written) = (cached_tokens.unwrap_or(0), cache_write_tokens.unwrap_or(0));
    // The whole input has both in it.
    let fresh = input_tokens.unwrap_or(0).saturating_sub(cached).saturating_sub(written);
    let parts = [
        (fresh, price.input),
        (cached, price.cached_input.unwrap_or(price.input)),
        (written, price.cache_write.unwrap_or(price.input)),
        (output_tokens.unwrap_or(0), price.output),
    ];
    let part = |(tokens, price): (u64, u64)| u128::from(tokens) * u128::from(price);
    let sum = parts.into_iter().map(part).fold(0, u128::saturating_add);
    u64::try_from(sum.saturating_add(TOKENS / 2) / TOKENS).unwrap_or(u64::MAX)
}

/// Whether nothing that it does costs anything.
pub(super) fn is_free(price: &Price) -> bool {
    let Price { input, output, cached_input, cache_write, .. } = price;
    [*input, *output, cached_input.unwrap_or(0), cache_write.unwrap_or(0)] == [0; 4]
}

/// `*` stands for any characters, or none.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(model: &str, input: u64, output: u64) -> Price {
        Price { provider: None, model: model.to_owned(), input, output, cached_input: None, cache_write: None }
    }

    #[test]
    fn a_star_stands_for_any_characters() {
        let all = [
            ("m", "m", true),
            ("m", "m2", false),
            ("*", "", true),
            ("*", "anything/at:all", true),
            ("claude-*", "claude-opus-4", true),
            ("claude-*", "not-claude-opus", false),
            ("*-mini", "gpt-5-mini", true),
            ("*-mini", "gpt-5-mini-2", false),
            ("anthropic/*-4*", "anthropic/claude-opus-4-1", true),
            ("anthropic/*-4*", "anthropic/claude-opus-3", false),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("*aab", "aaab", true),
            ("a**b", "ab", true),
            ("", "", true),
            ("", "m", false),
        ];
        for (pattern, text, expected) in all {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn the_first_that_fits_holds() {
        let mut prices = [price("a-*", 1, 0), price("*", 2, 0), price("b", 3, 0)];
        prices[0].provider = Some("codex".to_owned());
        let found = |provider: &str, model: &str| find(&prices, provider, model).map(|price| price.input);
        assert_eq!(found("codex", "a-1"), Some(1));
        assert_eq!(found("anthropic", "a-1"), Some(2));
        assert_eq!(found("codex", "b"), Some(2));
        assert_eq!(find(&prices[..1], "codex", "b"), None);
    }

    #[test]
    fn each_part_has_its_price() {
        let usage = Usage {
            input_tokens: Some(1_000_000),
            cached_tokens: Some(600_000),
            cache_write_tokens: Some(100_000),
            output_tokens: Some(10_000),
            reasoning_tokens: Some(9_000),
            cost_nano_usd: None,
        };
        // $3 and $15, $0.30 from the cache and $3.75 into it.
        let mut sonnet = price("m", 3_000_000_000, 15_000_000_000);
        assert_eq!(cost(&sonnet, &usage), 3_150_000_000, "without other prices cached input is as other input");
        sonnet.cached_input = Some(300_000_000);
        sonnet.cache_write = Some(3_750_000_000);
        assert_eq!(cost(&sonnet, &usage), 900_000_000 + 180_000_000 + 375_000_000 + 150_000_000);
    }

    #[test]
    fn odd_counts_neither_wrap_nor_vanish() {
        let of = |input, cached, output| Usage {
            input_tokens: input,
            cached_tokens: cached,
            output_tokens: output,
            ..Usage::default()
        };
        let one = price("m", 1_000_000_000, 1_000_000_000);
        assert_eq!(cost(&one, &of(None, None, None)), 0);
        assert_eq!(cost(&one, &of(Some(1), None, None)), 1_000);
        assert_eq!(cost(&one, &of(Some(1), Some(5), None)), 5_000, "more cached than read");
        assert_eq!(cost(&price("m", u64::MAX, u64::MAX), &of(Some(u64::MAX), None, Some(u64::MAX))), u64::MAX);
        assert_eq!(cost(&price("m", 400_000, 0), &of(Some(1), None, None)), 0);
        assert_eq!(cost(&price("m", 500_000, 0), &of(Some(1), None, None)), 1);
    }

    #[test]
    fn free_means_free_in_every_part() {
        assert!(is_free(&price("m", 0, 0)));
        assert!(!is_free(&price("m", 0, 1)));
        assert!(!is_free(&Price { cache_write: Some(1), ..price("m", 0, 0) }));
    }
}
