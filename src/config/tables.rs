//! The tables of the file that tune what is usually left alone: `[cf_ai_gateway]`, `[workers_ai]`, `[codex]`,
//! `[daemon]`, `[helm]`, `[http]`, `[limits]`, `[log]`.
//!
//! One row a key. Durations and sizes are whole numbers with their unit in the key.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::file::Entry;
use super::settings::log_filter;
use super::{CodexApi, Config, ConfigError, Sandbox, listen};

pub(super) struct Row {
    table: &'static str,
    key: &'static str,
    put: Put,
}

enum Put {
    Count(RangeInclusive<u64>, fn(&mut Config, usize)),
    Millis(RangeInclusive<u64>, fn(&mut Config, Duration)),
    Bool(fn(&mut Config, bool)),
    Text(fn(&mut Config, String)),
    LogFilter(fn(&mut Config, String)),
    Texts(fn(&mut Config, Vec<String>)),
    /// What it must be is said after the key.
    Parsed(fn(&mut Config, &str) -> Result<(), String>),
    /// As that, for each of a list.
    Each(fn(&mut Config, &str) -> Result<(), String>),
    /// By its place in the list.
    Choice(&'static [&'static str], fn(&mut Config, usize)),
}

const CODEX_APIS: [CodexApi; 3] = [CodexApi::Auto, CodexApi::Responses, CodexApi::Chat];

const SANDBOXES: [Sandbox; 3] = [Sandbox::ReadOnly, Sandbox::WorkspaceWrite, Sandbox::DangerFullAccess];

const SECOND: u64 = 1000;
const HOUR: u64 = 3600 * SECOND;
const MONTH: u64 = 30 * 24 * HOUR;
const MIB: u64 = 1024 * 1024;

/// Beyond it `serde_json` refuses what the check of frames let pass.
const MAX_JSON_DEPTH: u64 = 128;

const ROWS: &[Row] = &[
    row("cf_ai_gateway", "unified_billing", Put::Bool(|c, on| c.ai_gateway.unified_billing = on)),
    row("cf_ai_gateway", "cache_ttl_ms", Put::Millis(0..=MONTH, |c, d| c.ai_gateway.cache_ttl = Some(d))),
    row("cf_ai_gateway", "collect_log", Put::Bool(|c, on| c.ai_gateway.collect_log = Some(on))),
    row("workers_ai", "native_tools", Put::Bool(|c, on| c.workers_ai.native_tools = on)),
    row("codex", "api", Put::Choice(&["auto", "responses", "chat"], |c, n| c.codex.api = CODEX_APIS[n])),
    row("codex", "spawn", Put::Bool(|c, on| c.codex.app_server.spawn = on)),
    row(
        "codex",
        "sandbox",
        Put::Choice(&["read-only", "workspace-write", "danger-full-access"], |c, n| {
            c.codex.app_server.sandbox = SANDBOXES[n];
        }),
    ),
    row("codex", "cwd", Put::Text(|c, text| c.codex.app_server.cwd = Some(text.into()))),
    row("codex", "env", Put::Texts(|c, names| c.codex.app_server.env = names)),
    row("codex", "refuse_methods", Put::Texts(|c, names| c.codex.app_server.refuse_methods = names)),
    row("codex", "warm_threads", Put::Count(0..=64, |c, n| c.codex.app_server.warm_threads = n)),
    row("daemon", "idle_timeout_ms", Put::Millis(0..=MONTH, |c, d| c.serving.idle_timeout = d)),
    row("daemon", "drain_timeout_ms", Put::Millis(0..=HOUR, |c, d| c.serving.drain_timeout = d)),
    row(
        "daemon",
        "listen",
        Put::Parsed(|c, text| {
            c.serving.listen = Some(text.parse()?);
            Ok(())
        }),
    ),
    row(
        "daemon",
        "allowed_origins",
        Put::Each(|c, text| {
            c.serving.allowed_origins.push(listen::origin(text)?);
            Ok(())
        }),
    ),
    row("daemon", "allowed_hosts", Put::Texts(|c, hosts| c.serving.allowed_hosts = hosts)),
    row("daemon", "tls_cert", Put::Text(|c, text| c.serving.tls.cert = Some(text.into()))),
    row("daemon", "tls_key", Put::Text(|c, text| c.serving.tls.key = Some(text.into()))),
    row("helm", "history_tokens", Put::Count(1000..=10_000_000, |c, n| c.helm.history_tokens = count(n))),
    row("helm", "tool_result_bytes", Put::Count(256..=16 * MIB, |c, n| c.helm.tool_result_bytes = n)),
    row("helm", "approval_timeout_ms", Put::Millis(1..=24 * HOUR, |c, d| c.helm.approval_timeout = d)),
    row("helm", "confirm_dangerous", Put::Bool(|c, on| c.helm.confirm_dangerous = on)),
    row("helm", "queued_turns", Put::Count(1..=10_000, |c, n| c.helm.queued_turns = n)),
    row("http", "connect_timeout_ms", Put::Millis(1..=HOUR, |c, d| c.http.connect_timeout = d)),
    row("http", "response_timeout_ms", Put::Millis(1..=HOUR, |c, d| c.http.response_timeout = d)),
    row("http", "idle_timeout_ms", Put::Millis(1..=HOUR, |c, d| c.http.idle_timeout = d)),
    row("http", "max_retries", Put::Count(0..=10, |c, n| c.http.max_retries = count(n))),
    row("http", "warm", Put::Bool(|c, on| c.http.warm = on)),
    row("http", "warm_interval_ms", Put::Millis(SECOND..=HOUR, |c, d| c.http.warm_interval = d)),
    row("http", "discover", Put::Bool(|c, on| c.http.discover = on)),
    row("limits", "frame_bytes", Put::Count(1024..=1024 * MIB, |c, n| c.limits.frame_bytes = n)),
    row("limits", "header_bytes", Put::Count(64..=MIB, |c, n| c.limits.header_bytes = n)),
    row("limits", "json_depth", Put::Count(8..=MAX_JSON_DEPTH, |c, n| c.limits.json_depth = n)),
    row("limits", "in_flight", Put::Count(1..=65_536, |c, n| c.limits.in_flight = n)),
    row("limits", "outbound_frames", Put::Count(1..=65_536, |c, n| c.limits.outbound_frames = n)),
    row("limits", "write_timeout_ms", Put::Millis(1..=HOUR, |c, d| c.limits.write_timeout = d)),
    row("limits", "buffered_events", Put::Count(1..=1_000_000, |c, n| c.limits.buffered_events = n)),
    row("log", "filter", Put::LogFilter(|c, text| c.log.filter = text)),
];

const fn row(table: &'static str, key: &'static str, put: Put) -> Row {
    Row { table, key, put }
}

/// The names of the tables.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    let first = |(index, row): (usize, &'static Row)| {
        let seen = ROWS.iter().take(index).any(|earlier| earlier.table == row.table);
        (!seen).then_some(row.table)
    };
    ROWS.iter().enumerate().filter_map(first)
}

/// Takes one whole table, but for its faults.
pub(super) fn apply(config: &mut Config, table: &Entry<'_>, faults: &mut Vec<ConfigError>) {
    let entries = table.table().unwrap_or_else(|fault| {
        faults.push(fault);
        Vec::new()
    });
    let mut listens = None;
    for entry in entries {
        let mut rows = ROWS.iter().filter(|row| row.table == table.key);
        match rows.clone().find(|row| row.key == entry.key) {
            Some(row) => faults.extend(row.apply(config, &entry).err()),
            None => faults.push(entry.unknown(rows.by_ref().map(|row| row.key))),
        }
        // Its certificate may stand before it or behind.
        if table.key == "daemon" && entry.key == "listen" {
            listens = Some(entry);
        }
    }
    if let (Some(entry), Some(listen)) = (listens, config.serving.listen) {
        faults
            .extend(listen.check(&config.serving.tls).err().map(|why| entry.fault(&format!("cannot be used: {why}"))));
    }
}

impl Row {
    fn apply(&self, config: &mut Config, entry: &Entry<'_>) -> Result<(), ConfigError> {
        match &self.put {
            Put::Count(range, put) => put(config, size(entry.integer(range.clone())?)),
            Put::Millis(range, put) => put(config, Duration::from_millis(entry.integer(range.clone())?)),
            Put::Bool(put) => put(config, entry.boolean()?),
            Put::Text(put) => put(config, entry.text()?),
            Put::LogFilter(put) => put(config, log_filter(entry.text()?).map_err(|what| entry.fault(&what))?),
            Put::Texts(put) => put(config, entry.texts()?),
            Put::Parsed(put) => put(config, &entry.text()?).map_err(|why| entry.fault(&why))?,
            Put::Each(put) => {
                let mut each = entry.elements("an array of strings")?.into_iter();
                each.try_for_each(|one| put(config, &one.text()?).map_err(|why| one.fault(&why)))?;
            }
            Put::Choice(names, put) => {
                let text = entry.text()?;
                let at = names.iter().position(|name| *name == text);
                put(config, at.ok_or_else(|| entry.fault(&format!("must be one of {}", names.join(", "))))?);
            }
        }
        Ok(())
    }
}

fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
