//! Sums that are not in the ledger yet.

use std::collections::BTreeMap;

use crate::model::{Day, LedgerRow, Tally};

/// Beyond so many rows, models share one: what was spent is counted whatever happens to the disk, and in bounded room.
const MAX_ROWS: usize = 256;

/// Stands for the models that share a row.
const OTHERS: &str = "(others)";

/// Ordered as the ledger gives its rows.
#[derive(Debug, Default)]
pub(super) struct Rows {
    rows: BTreeMap<(Day, String, String), Tally>,
}

impl Rows {
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(super) fn add(&mut self, row: LedgerRow) {
        let LedgerRow { day, provider, model, tally } = row;
        let mut key = (day, provider, model);
        if self.rows.len() >= MAX_ROWS && !self.rows.contains_key(&key) {
            OTHERS.clone_into(&mut key.2);
        }
        self.rows.entry(key).or_default().add(&tally);
    }

    pub(super) fn list(&self) -> Vec<LedgerRow> {
        let row = |((day, provider, model), tally): (&(Day, String, String), &Tally)| LedgerRow {
            day: *day,
            provider: provider.clone(),
            model: model.clone(),
            tally: *tally,
        };
        self.rows.iter().map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_without_end_share_a_row_and_nothing_is_lost() {
        let mut rows = Rows::default();
        for number in 0..10_000 {
            let (provider, model) = ("p".to_owned(), format!("m{number}"));
            let tally = Tally { calls: 1, ..Tally::default() };
            rows.add(LedgerRow { day: Day::default(), provider, model, tally });
        }
        let list = rows.list();
        assert_eq!(list.len(), MAX_ROWS + 1);
        assert_eq!(list.iter().map(|row| row.tally.calls).sum::<u64>(), 10_000);
    }
}
