//! The table: what was measured, the direct call, ours, the difference, and what it should be.

use std::time::Duration;

use crate::sample::Sample;

const TITLES: [&str; 6] = ["what", "direct", "ours", "added", "aim", "met"];

#[derive(Default)]
pub struct Table {
    rows: Vec<[String; 6]>,
}

/// What the figure in the fourth column should be at most, in the unit of the row.
#[derive(Clone, Copy)]
pub enum Aim {
    /// What is added to the direct call.
    Added(f64),
    /// What it takes altogether.
    Whole(f64),
    /// What is added, as a part of the direct call.
    Part(f64),
    None,
}

#[derive(Clone, Copy)]
pub enum Unit {
    Ms,
    Us,
    MiB,
}

impl Unit {
    pub fn of(self, time: Duration) -> f64 {
        match self {
            Self::Ms => time.as_secs_f64() * 1e3,
            Self::Us | Self::MiB => time.as_secs_f64() * 1e6,
        }
    }

    fn show(self, number: f64) -> String {
        match self {
            Self::Ms => format!("{number:.2} ms"),
            Self::Us if number.abs() < 10.0 => format!("{number:.2} µs"),
            Self::Us => format!("{number:.0} µs"),
            Self::MiB => format!("{number:.1} MiB"),
        }
    }
}

impl Table {
    /// Two rows: medians, which have the aim, and 99th percentiles.
    pub fn samples(&mut self, what: &str, (direct, ours): (&Sample, &Sample), unit: Unit, aim: Aim) {
        self.row(&format!("{what}, median"), (unit.of(direct.median()), unit.of(ours.median())), unit, aim);
        self.row(&format!("{what}, p99"), (unit.of(direct.p99()), unit.of(ours.p99())), unit, Aim::None);
    }

    pub fn row(&mut self, what: &str, (direct, ours): (f64, f64), unit: Unit, aim: Aim) {
        let added = ours - direct;
        let (limit, met) = match aim {
            Aim::Added(limit) => (format!("+{}", unit.show(limit)), mark(added <= limit)),
            Aim::Whole(limit) => (unit.show(limit), mark(ours <= limit)),
            Aim::Part(limit) => (format!("+{:.0} %", limit * 100.0), mark(added <= limit * direct)),
            Aim::None => (String::new(), ""),
        };
        let added = format!("{}{} (×{:.1})", if added < 0.0 { "" } else { "+" }, unit.show(added), ours / direct);
        // Some figures have nothing beside them.
        let beside = if direct == 0.0 { [String::new(), String::new()] } else { [unit.show(direct), added] };
        let [direct, added] = beside;
        self.rows.push([what.to_owned(), direct, unit.show(ours), added, limit, met.to_owned()]);
    }

    /// Something counted, that belongs to the row above.
    pub fn note(&mut self, what: &str, direct: &str, ours: &str) {
        let [direct, ours] = [direct, ours].map(str::to_owned);
        self.rows.push([format!("  {what}"), direct, ours, String::new(), String::new(), String::new()]);
    }

    #[expect(clippy::print_stdout, reason = "the table is what the benchmark is for")]
    pub fn print(&self) {
        let titles = TITLES.map(str::to_owned);
        let widths: Vec<usize> = (0..titles.len())
            .map(|column| {
                let cells = self.rows.iter().chain([&titles]).map(|row| row[column].chars().count());
                cells.max().unwrap_or_default()
            })
            .collect();
        let line = |row: &[String; 6]| {
            let cell = |(column, text): (usize, &String)| match column {
                0 | 5 => format!("{text:<width$}", width = widths[column]),
                _ => format!("{text:>width$}", width = widths[column]),
            };
            format!("| {} |", row.iter().enumerate().map(cell).collect::<Vec<_>>().join(" | "))
        };
        let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
        println!("{}\n| {} |", line(&titles), rule.join(" | "));
        for row in &self.rows {
            println!("{}", line(row));
        }
    }
}

fn mark(met: bool) -> &'static str {
    if met { "yes" } else { "NO" }
}
