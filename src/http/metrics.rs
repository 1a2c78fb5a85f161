//! `GET /metrics`: figures in the text form of Prometheus. Labels are names of ours alone; nothing of what is said.

use std::fmt::{Display, Write};
use std::sync::Arc;

use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;

use super::connection::Shared;
use super::envelope;
use crate::api::Figures;

pub async fn answer(shared: &Arc<Shared>) -> Response {
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    envelope::text(StatusCode::OK, kind, text(&shared.host.figures().await))
}

fn text(figures: &Figures) -> String {
    let mut page = Page(String::new());
    page.gauge("build_info", "Which program this is.", [(labels(&[("version", figures.version)]), 1)]);
    page.gauge("uptime_seconds", "Since the daemon started.", [(String::new(), seconds(figures.uptime_ms))]);
    page.gauge("resident_memory_bytes", "What the process holds.", figures.memory.map(|bytes| (String::new(), bytes)));
    let clients = figures.clients.iter().map(|(way, count)| (labels(&[("via", way)]), *count));
    page.gauge("clients", "Connections that are open; a scrape is none of them.", clients);
    page.gauge("turns_running", "Turns under way.", [(String::new(), figures.running)]);
    let outcomes = [("ok", figures.turns.saturating_sub(figures.failed_turns)), ("error", figures.failed_turns)];
    let outcomes = outcomes.map(|(outcome, count)| (labels(&[("outcome", outcome)]), count));
    page.counter("turns_total", "Turns that have ended since the start.", outcomes);
    page.counter("events_total", "Events of all sessions since the start.", [(String::new(), figures.events)]);
    let calls = figures.calls.iter();
    let made = calls.clone().map(|(id, calls)| (labels(&[("provider", id)]), calls.made));
    page.counter("provider_calls_total", "Calls of providers since the start.", made);
    let failed = calls.map(|(id, calls)| (labels(&[("provider", id)]), calls.failed));
    page.counter("provider_failures_total", "Of these, those that failed or broke off.", failed);
    let Some(spent) = &figures.spent else { return page.0 };
    let of = |id: &str, kind: &str| labels(&[("provider", id), ("kind", kind)]);
    let tokens = spent.iter().flat_map(|(id, tally)| {
        [(of(id, "input"), tally.input_tokens), (of(id, "output"), tally.output_tokens)]
            .into_iter()
            .chain([(of(id, "cached"), tally.cached_tokens), (of(id, "reasoning"), tally.reasoning_tokens)])
    });
    page.counter(
        "model_tokens_total",
        "Tokens since the ledger was begun; cached and reasoning are part of the others.",
        tokens,
    );
    let counted = spent.iter().map(|(id, tally)| (labels(&[("provider", id)]), tally.calls));
    page.counter("model_calls_total", "Calls of models since the ledger was begun.", counted);
    let cost = spent.iter().map(|(id, tally)| (labels(&[("provider", id)]), tally.cost_usd()));
    page.counter("model_cost_usd_total", "US dollars since the ledger was begun, where a price is known.", cost);
    page.0
}

struct Page(String);

impl Page {
    fn gauge(&mut self, name: &str, help: &str, rows: impl IntoIterator<Item = (String, impl Display)>) {
        self.family(name, "gauge", help, rows);
    }

    fn counter(&mut self, name: &str, help: &str, rows: impl IntoIterator<Item = (String, impl Display)>) {
        self.family(name, "counter", help, rows);
    }

    /// One that has no rows is left out.
    fn family(&mut self, name: &str, kind: &str, help: &str, rows: impl IntoIterator<Item = (String, impl Display)>) {
        let mut rows = rows.into_iter().peekable();
        if rows.peek().is_none() {
            return;
        }
        // Writing to a string cannot fail.
        let _ = write!(self.0, "# HELP open_think_{name} {help}\n# TYPE open_think_{name} {kind}\n");
        for (labels, value) in rows {
            let _ = writeln!(self.0, "open_think_{name}{labels} {value}");
        }
    }
}

fn labels(pairs: &[(&str, &str)]) -> String {
    let escaped = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    format!("{{{}}}", pairs.join(","))
}

fn seconds(millis: u64) -> f64 {
    millis as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Calls;

    #[test]
    fn the_page_is_what_a_scraper_reads() {
        let figures = Figures {
            version: "1.2.3",
            uptime_ms: 1500,
            turns: 3,
            failed_turns: 1,
            clients: [("http", 1), ("unix", 0)].into(),
            calls: [("anthropic", Calls { made: 2, failed: 1 })].into(),
            spent: Some([("a\"b".to_owned(), Default::default())].into()),
            ..Figures::default()
        };
        let text = text(&figures);
        for line in [
            "# TYPE open_think_build_info gauge",
            "open_think_build_info{version=\"1.2.3\"} 1",
            "open_think_uptime_seconds 1.5",
            "open_think_clients{via=\"http\"} 1",
            "open_think_turns_total{outcome=\"ok\"} 2",
            "open_think_turns_total{outcome=\"error\"} 1",
            "open_think_provider_failures_total{provider=\"anthropic\"} 1",
            "open_think_model_tokens_total{provider=\"a\\\"b\",kind=\"input\"} 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("resident_memory_bytes"), "what is not known is left out");
    }
}
