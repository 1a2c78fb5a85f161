//! The ledger: what calls have spent, in a table of sums beside the sessions, which outlives them.

use std::collections::BTreeMap;

use async_trait::async_trait;
use rusqlite::types::Type;
use rusqlite::{Connection, Row, Transaction, TransactionBehavior, params};

use super::Sqlite;
use super::fault::Fault;
use super::read::{rows, signed, unsigned};
use crate::model::{Day, Ledger, LedgerError, LedgerRow, NoDay, Tally};

/// The sums of a row.
const COLUMNS: [&str; 9] = [
    "calls",
    "unpriced_calls",
    "estimated_calls",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "cost_nano_usd",
];

#[async_trait]
impl Ledger for Sqlite {
    async fn add(&self, rows: Vec<LedgerRow>) -> Result<(), LedgerError> {
        let outcome = self.run(move |connection| add(connection, &rows)).await;
        outcome.map_err(|error| LedgerError(error.to_string()))
    }

    async fn rows(&self, first: Day, last: Day) -> Result<Vec<LedgerRow>, LedgerError> {
        let outcome = self.run(move |connection| between(connection, first, last)).await;
        outcome.map_err(|error| LedgerError(error.to_string()))
    }

    async fn sums(&self) -> Result<BTreeMap<String, Tally>, LedgerError> {
        let outcome = self.run(|connection| sums(connection)).await;
        outcome.map_err(|error| LedgerError(error.to_string()))
    }
}

fn add(connection: &mut Connection, rows: &[LedgerRow]) -> Result<(), Fault> {
    // Immediate: from the reading of a sum to its writing no other process comes between.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for row in rows {
        add_one(&transaction, row)?;
    }
    Ok(transaction.commit()?)
}

/// Added up here and not by SQLite, which turns a sum beyond 64 bits into a fraction.
fn add_one(transaction: &Transaction<'_>, row: &LedgerRow) -> Result<(), Fault> {
    let mut tally = row.tally;
    let day = row.day.to_string();
    let sql = "SELECT * FROM usage WHERE day = ? AND provider = ? AND model = ?";
    let kept = rows(transaction, sql, [&day, &row.provider, &row.model], ledger_row)?;
    kept.iter().for_each(|kept| tally.add(&kept.tally));
    let sql = "INSERT INTO usage (day, provider, model, calls, unpriced_calls, estimated_calls, input_tokens,
               output_tokens, cached_tokens, cache_write_tokens, reasoning_tokens, cost_nano_usd)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
               ON CONFLICT (day, provider, model) DO UPDATE SET calls = excluded.calls,
               unpriced_calls = excluded.unpriced_calls, estimated_calls = excluded.estimated_calls,
               input_tokens = excluded.input_tokens, output_tokens = excluded.output_tokens,
               cached_tokens = excluded.cached_tokens, cache_write_tokens = excluded.cache_write_tokens,
               reasoning_tokens = excluded.reasoning_tokens, cost_nano_usd = excluded.cost_nano_usd";
    transaction.prepare_cached(sql)?.execute(params![
        day,
        row.provider,
        row.model,
        signed(tally.calls),
        signed(tally.unpriced_calls),
        signed(tally.estimated_calls),
        signed(tally.input_tokens),
        signed(tally.output_tokens),
        signed(tally.cached_tokens),
        signed(tally.cache_write_tokens),
        signed(tally.reasoning_tokens),
        signed(tally.cost_nano_usd),
    ])?;
    Ok(())
}

fn between(connection: &Connection, first: Day, last: Day) -> Result<Vec<LedgerRow>, Fault> {
    let sql = "SELECT * FROM usage WHERE day BETWEEN ? AND ? ORDER BY day, provider, model";
    rows(connection, sql, [first.to_string(), last.to_string()], ledger_row)
}

/// In fractions, which are exact as far as anybody counts, for a sum beyond 64 bits would be an error.
fn sums(connection: &Connection) -> Result<BTreeMap<String, Tally>, Fault> {
    let total = |column: &str| format!("CAST(TOTAL({column}) AS INTEGER) AS {column}");
    let columns = COLUMNS.map(total).join(", ");
    let sql = format!("SELECT provider, {columns} FROM usage GROUP BY provider");
    let summed = |row: &Row<'_>| Ok((row.get("provider")?, tally(row)?));
    Ok(rows(connection, &sql, [], summed)?.into_iter().collect())
}

fn ledger_row(row: &Row<'_>) -> rusqlite::Result<LedgerRow> {
    let day: String = row.get("day")?;
    let not_a_day = |reason: NoDay| rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(reason));
    Ok(LedgerRow {
        day: day.parse().map_err(not_a_day)?,
        provider: row.get("provider")?,
        model: row.get("model")?,
        tally: tally(row)?,
    })
}

fn tally(row: &Row<'_>) -> rusqlite::Result<Tally> {
    let count = |name: &str| Ok::<u64, rusqlite::Error>(unsigned(row.get(name)?));
    Ok(Tally {
        calls: count("calls")?,
        unpriced_calls: count("unpriced_calls")?,
        estimated_calls: count("estimated_calls")?,
        input_tokens: count("input_tokens")?,
        output_tokens: count("output_tokens")?,
        cached_tokens: count("cached_tokens")?,
        cache_write_tokens: count("cache_write_tokens")?,
        reasoning_tokens: count("reasoning_tokens")?,
        cost_nano_usd: count("cost_nano_usd")?,
    })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use rusqlite::Connection;
    use tempfile::TempDir;

    use super::*;
    use crate::sessions::Store;

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    fn row(on: &str, provider: &str, model: &str, cost: u64) -> LedgerRow {
        let tally = Tally { calls: 1, input_tokens: 10, output_tokens: 2, cost_nano_usd: cost, ..Tally::default() };
        LedgerRow { day: day(on), provider: provider.to_owned(), model: model.to_owned(), tally }
    }

    fn temp() -> (TempDir, PathBuf) {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("state/sessions.db");
        (dir, path)
    }

    async fn shown(ledger: &impl Ledger, first: &str, last: &str) -> Vec<String> {
        let rows = ledger.rows(day(first), day(last)).await.unwrap();
        let shown = |row: &LedgerRow| {
            format!("{} {} {}: {}x {}", row.day, row.provider, row.model, row.tally.calls, row.tally.cost_nano_usd)
        };
        rows.iter().map(shown).collect()
    }

    #[tokio::test]
    async fn what_is_added_is_summed_by_day_provider_and_model() {
        let ledger = Sqlite::in_memory().unwrap();
        let first =
            vec![row("2026-02-28", "b", "m", 1), row("2026-02-28", "a", "m", 2), row("2026-02-28", "a", "m", 3)];
        ledger.add(first).await.unwrap();
        ledger.add(vec![row("2026-02-28", "a", "n", 4), row("2026-03-01", "a", "m", 5)]).await.unwrap();
        let february = ["2026-02-28 a m: 2x 5", "2026-02-28 a n: 1x 4", "2026-02-28 b m: 1x 1"];
        assert_eq!(shown(&ledger, "2026-02-01", "2026-02-28").await, february);
        assert_eq!(shown(&ledger, "2026-03-01", "2026-03-01").await, ["2026-03-01 a m: 1x 5"]);
        assert_eq!(ledger.rows(day("2026-01-01"), day("2026-12-31")).await.unwrap().len(), 4);
        assert_eq!(shown(&ledger, "2026-03-02", "2026-12-31").await, [""; 0]);
        let sums = ledger.sums().await.unwrap();
        let sums: Vec<_> = sums.iter().map(|(id, sum)| (&**id, sum.calls, sum.tokens(), sum.cost_nano_usd)).collect();
        assert_eq!(sums, [("a", 4, 48, 14), ("b", 1, 12, 1)]);
    }

    #[tokio::test]
    async fn every_sum_is_kept_and_none_turns_over() {
        let ledger = Sqlite::in_memory().unwrap();
        let tally = Tally {
            calls: 1,
            unpriced_calls: 2,
            estimated_calls: 3,
            input_tokens: 4,
            output_tokens: 5,
            cached_tokens: 6,
            cache_write_tokens: 7,
            reasoning_tokens: 8,
            cost_nano_usd: u64::MAX,
        };
        let one = LedgerRow { tally, ..row("2026-03-01", "a", "m", 0) };
        ledger.add(vec![one.clone(), one]).await.unwrap();
        let kept = ledger.rows(day("2026-03-01"), day("2026-03-01")).await.unwrap();
        let expected = Tally {
            calls: 2,
            unpriced_calls: 4,
            estimated_calls: 6,
            input_tokens: 8,
            output_tokens: 10,
            cached_tokens: 12,
            cache_write_tokens: 14,
            reasoning_tokens: 16,
            cost_nano_usd: i64::MAX as u64,
        };
        assert_eq!(kept[0].tally, expected);
        let next = LedgerRow { tally, ..row("2026-03-02", "a", "m", 0) };
        ledger.add(vec![next]).await.unwrap();
        assert_eq!(ledger.sums().await.unwrap()["a"].cost_nano_usd, i64::MAX as u64);
    }

    #[tokio::test]
    async fn several_processes_add_to_the_same_sums() {
        let (_dir, path) = temp();
        let ledgers: Vec<Sqlite> = (0..4).map(|_| Sqlite::open(&path).unwrap()).collect();
        let writers = ledgers.iter().map(|ledger| async move {
            for _ in 0..25 {
                ledger.add(vec![row("2026-03-01", "a", "m", 3)]).await.unwrap();
            }
        });
        futures_util::future::join_all(writers).await;
        assert_eq!(shown(&ledgers[0], "2026-03-01", "2026-03-01").await, ["2026-03-01 a m: 100x 300"]);
    }

    #[tokio::test]
    async fn a_file_from_before_the_ledger_keeps_its_sessions() {
        let (_dir, path) = temp();
        std::fs::create_dir(path.parent().unwrap()).unwrap();
        let old = Connection::open(&path).unwrap();
        old.execute_batch(include_str!("schema.sql")).unwrap();
        old.execute_batch("INSERT INTO sessions VALUES ('s', 1, 2, 3); PRAGMA user_version = 1").unwrap();
        drop(old);
        let store = Sqlite::open(&path).unwrap();
        assert_eq!(store.sessions().await.unwrap()[0].name, "s");
        store.add(vec![row("2026-03-01", "a", "m", 1)]).await.unwrap();
        drop(store);
        assert_eq!(shown(&Sqlite::open(&path).unwrap(), "2026-03-01", "2026-03-01").await, ["2026-03-01 a m: 1x 1"]);
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_had_says_why() {
        let (dir, _) = temp();
        let path = dir.path().join("in-the-way/sessions.db");
        std::fs::write(dir.path().join("in-the-way"), "").unwrap();
        let (ledger, _) = Sqlite::open_or_retry(&path).unwrap();
        let error = ledger.add(vec![row("2026-03-01", "a", "m", 1)]).await.unwrap_err();
        assert!(error.to_string().contains("cannot be opened"), "{error}");
    }
}
