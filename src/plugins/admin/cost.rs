//! `cost-today`, `cost-range`, `cost-cap`: what calls of models have spent, and whether more may be. All processes that
//! share a state directory are counted together. Money is in US dollars, days are in UTC.

use serde_json::{Map, Value, json};

use super::Runtime;
use crate::model::{Day, LedgerError, LedgerRow, Tally};
use crate::skills::SkillError;

const MAX_DAYS: u32 = 366;

pub(super) async fn today(runtime: &Runtime) -> Result<Value, SkillError> {
    let day = runtime.meter.day();
    let rows = runtime.meter.rows(day, day).await.map_err(unreadable)?;
    let total = Tally::total(&rows);
    Ok(json!({
        "day": day.to_string(),
        "totalUsd": total.cost_usd(),
        "totalTokens": total.tokens(),
        "byProvider": rows.iter().map(row).collect::<Vec<_>>(),
        "unpricedCalls": total.unpriced_calls,
    }))
}

pub(super) async fn range(runtime: &Runtime, input: &Value) -> Result<Value, SkillError> {
    let (start, end) = (day(input, "start")?, day(input, "end")?);
    match start.days_to(end) {
        0 => return Err(SkillError::new(format!("'start' {start} is after 'end' {end}"))),
        1..=MAX_DAYS => {}
        days => {
            let hint = format!("Ask for {MAX_DAYS} days at most at a time.");
            return Err(SkillError::new(format!("from {start} to {end} are {days} days")).with_hint(hint));
        }
    }
    let rows = runtime.meter.rows(start, end).await.map_err(unreadable)?;
    let total = Tally::total(&rows);
    let dated = |ledger_row: &LedgerRow| {
        let mut shown = Map::from_iter([("day".to_owned(), json!(ledger_row.day.to_string()))]);
        shown.extend(row(ledger_row));
        shown
    };
    Ok(json!({
        "start": start.to_string(),
        "end": end.to_string(),
        "totalUsd": total.cost_usd(),
        "totalTokens": total.tokens(),
        "rows": rows.iter().map(dated).collect::<Vec<_>>(),
        "unpricedCalls": total.unpriced_calls,
    }))
}

pub(super) async fn cap(runtime: &Runtime) -> Result<Value, SkillError> {
    let allowance = runtime.meter.allowance().await.map_err(unreadable)?;
    let today = allowance.today;
    let mut shown = json!({
        "allowed": allowance.refusal.is_none(),
        "spentUsd": today.tally.cost_usd(),
        "capUsd": allowance.cap_nano_usd.map(|cap| cap as f64 / 1e9),
        // A cap says nothing of what nobody knows.
        "unpricedCalls": today.tally.unpriced_calls,
        "resetsAt": format!("{}T00:00:00Z", today.day.next()),
    });
    if let Some(reason) = allowance.refusal {
        shown["reason"] = json!(reason);
    }
    Ok(shown)
}

fn row(row: &LedgerRow) -> Map<String, Value> {
    let tally = &row.tally;
    let nothing_known = tally.unpriced_calls == tally.calls;
    let shown = [
        ("provider", json!(row.provider)),
        ("model", json!(row.model)),
        ("calls", json!(tally.calls)),
        ("inputTokens", json!(tally.input_tokens)),
        ("outputTokens", json!(tally.output_tokens)),
        ("cachedTokens", json!(tally.cached_tokens)),
        ("costUsd", if nothing_known { Value::Null } else { json!(tally.cost_usd()) }),
    ];
    // What is usual is left out.
    let notable = [("unpricedCalls", tally.unpriced_calls), ("estimatedCalls", tally.estimated_calls)];
    let notable = notable.into_iter().filter(|(_, calls)| *calls > 0).map(|(name, calls)| (name, json!(calls)));
    shown.into_iter().chain(notable).map(|(name, value)| (name.to_owned(), value)).collect()
}

fn day(input: &Value, name: &str) -> Result<Day, SkillError> {
    let text = input.get(name).and_then(Value::as_str).unwrap_or_default();
    text.parse().map_err(|what| SkillError::new(format!("'{name}' {what}")))
}

fn unreadable(error: LedgerError) -> SkillError {
    SkillError::new(error.to_string())
}
