//! The numbers that Cloudflare's AI services put in their errors: Workers AI, the AI gateway and the API around both.
//!
//! They mean more than the status beside them. Under one 429 stand a quota that lasts until midnight and a queue that
//! is full for a second; a vendor that did not answer the gateway comes as a 400.

use super::classify::{Again, Verdict};
use crate::model::ErrorKind::{
    self, Auth, Config, ContentBlocked, ContextTooLong, InvalidRequest, ModelNotFound, Quota, Timeout, Unavailable,
};

struct Row {
    code: &'static str,
    /// 0 for any.
    status: u16,
    kind: ErrorKind,
    again: Again,
    hint: Option<&'static str>,
}

const GATEWAY: &str =
    "check AI_GATEWAY_ID and CLOUDFLARE_ACCOUNT_ID, and AI_GATEWAY_AUTH_TOKEN if the gateway wants one";
const GATEWAY_KEY: &str = "check AI_GATEWAY_AUTH_TOKEN, and the vendor's key that is stored in the gateway";
const GATEWAY_MODEL: &str = "name the model with its vendor, as in vendor/model";
const GATEWAY_CREDIT: &str = "give a key of the vendor's, or top up the credits of the Cloudflare account";
const GUARDRAILS: &str = "the gateway's guardrails decide this; change the text, or the rules in the dashboard";
const ROUTE: &str = "check CLOUDFLARE_ACCOUNT_ID, and the model's name";
const TOMORROW: &str = "the free quota begins anew at 00:00 UTC; a paid Workers plan has no such end";
const PAID: &str = "this model needs the Workers Paid plan; take another model, or upgrade in the dashboard";
const LICENCE: &str = "accept the model's licence first: its page in the Cloudflare dashboard says how";
const PRIVATE: &str = "the account may not use this model";
const BLOCKED: &str = "the Cloudflare account is blocked from Workers AI; ask their support";
const ROOM: &str = "allow more output tokens, so that the call which is forced has room";

/// The first that fits holds.
const ROWS: [Row; 34] = [
    // The gateway.
    row("2001", 0, Config, Again::Never, Some(GATEWAY)),
    row("2005", 0, Unavailable, Again::Yes, None),
    row("2009", 0, Auth, Again::Never, Some(GATEWAY_KEY)),
    row("2016", 0, ContentBlocked, Again::Never, Some(GUARDRAILS)),
    row("2017", 0, ContentBlocked, Again::Never, Some(GUARDRAILS)),
    row("2019", 0, InvalidRequest, Again::Never, Some(GATEWAY_MODEL)),
    row("2021", 0, Quota, Again::Never, Some(GATEWAY_CREDIT)),
    // The API around it.
    row("7003", 404, ModelNotFound, Again::Never, None),
    row("7003", 0, InvalidRequest, Again::Never, Some(ROUTE)),
    row("7009", 0, Unavailable, Again::Yes, None),
    row("7013", 0, Unavailable, Again::Yes, None),
    row("10000", 0, Auth, Again::Never, None),
    // Workers AI.
    row("3003", 0, InvalidRequest, Again::Never, None),
    row("3006", 0, ContextTooLong, Again::Never, None),
    row("3007", 0, Timeout, Again::Yes, None),
    row("3008", 0, Timeout, Again::Yes, None),
    row("3023", 0, Auth, Again::Never, Some(BLOCKED)),
    row("3036", 0, Quota, Again::Tomorrow, Some(TOMORROW)),
    row("3039", 0, InvalidRequest, Again::Never, None),
    row("3040", 0, Unavailable, Again::Yes, None),
    row("3041", 0, Auth, Again::Never, Some(PRIVATE)),
    row("3042", 0, ModelNotFound, Again::Never, None),
    // What the service says in place of 3036.
    row("4006", 429, Quota, Again::Tomorrow, Some(TOMORROW)),
    row("5004", 0, InvalidRequest, Again::Never, None),
    row("5005", 0, InvalidRequest, Again::Never, None),
    row("5006", 0, InvalidRequest, Again::Never, None),
    row("5007", 0, ModelNotFound, Again::Never, None),
    row("5016", 0, Auth, Again::Never, Some(LICENCE)),
    row("5018", 0, Auth, Again::Never, Some(PRIVATE)),
    row("5019", 0, InvalidRequest, Again::Never, None),
    row("5021", 0, ContextTooLong, Again::Never, None),
    row("5028", 0, ModelNotFound, Again::Never, None),
    row("5035", 0, Quota, Again::Never, Some(PAID)),
    row("8006", 0, InvalidRequest, Again::Never, Some(ROOM)),
];

const fn row(code: &'static str, status: u16, kind: ErrorKind, again: Again, hint: Option<&'static str>) -> Row {
    Row { code, status, kind, again, hint }
}

/// The innermost code is the one that says why.
pub(super) fn verdict(status: u16, codes: &[String]) -> Option<Verdict> {
    let fits = |row: &&Row, code: &str| row.code == code && (row.status == 0 || row.status == status);
    let row = codes.iter().rev().find_map(|code| ROWS.iter().find(|row| fits(row, code)))?;
    Some(Verdict { kind: row.kind, again: row.again, hint: row.hint })
}
