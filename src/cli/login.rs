//! `login` and `logout`: a sign-in by device code, shown to its user and waited for.

use std::cell::OnceCell;
use std::time::{Duration, SystemTime};

use clap::{Args, ValueEnum};
use tokio::time::{Instant, sleep};

use crate::cli::client::Client;
use crate::cli::exit::{Exit, UsageError};
use crate::cli::spinner::Spinner;
use crate::cli::terminal::{Style, Terminal};
use crate::protocol::{
    CodexLogin, DevicePollParams, DevicePollResult, DeviceStartResult, DeviceStatus, Empty, LogoutResult, names,
};

/// How often the time that is left is written anew.
const TICK: Duration = Duration::from_secs(1);
/// A daemon that says nothing of it is asked so often.
const INTERVAL: u64 = 5;
/// For giving up: nobody waits for that.
const FAREWELL: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, ValueEnum)]
enum Service {
    /// A ChatGPT subscription
    Codex,
}

#[derive(Args)]
pub struct LoginArgs {
    /// Where to sign in: `codex` is a ChatGPT subscription
    #[arg(value_enum, value_name = "SERVICE", hide_possible_values = true)]
    service: Service,

    /// Print JSON: what the sign-in begins with, then what comes of it
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub struct LogoutArgs {
    /// Where to sign out: `codex` is a ChatGPT subscription
    #[arg(value_enum, value_name = "SERVICE", hide_possible_values = true)]
    service: Service,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub async fn run(args: &LoginArgs, terminal: &Terminal, client: &Client) -> anyhow::Result<Exit> {
    let Service::Codex = args.service;
    let under_way = OnceCell::new();
    let exit = Exit::or_signal(sign_in(args, terminal, client, &under_way)).await?;
    if matches!(exit, Exit::Interrupted | Exit::Terminated | Exit::HungUp) {
        if let Some(params) = under_way.get() {
            // The code is of no use to anybody now; if it cannot be given back, it expires.
            let _ = tokio::time::timeout(FAREWELL, client.call::<names::DeviceCancel>(params)).await;
        }
        terminal.note("The sign-in was given up.");
    }
    Ok(exit)
}

async fn sign_in(
    args: &LoginArgs,
    terminal: &Terminal,
    client: &Client,
    under_way: &OnceCell<DevicePollParams>,
) -> anyhow::Result<Exit> {
    let begun = client.call::<names::DeviceStart>(&Empty {}).await?;
    if args.json {
        terminal.print_json(&begun)?;
    }
    let Some(device_code) = begun.device_code.clone() else { return unconfigured(args.json, &begun) };
    let params = under_way.get_or_init(|| DevicePollParams { device_code });
    if !args.json {
        terminal.print_line(&invitation(&begun, terminal))?;
    }
    let ended = wait(terminal, client, params, &begun).await?;
    match args.json {
        true => terminal.print_json(&ended)?,
        false => tell(&ended, terminal)?,
    }
    Ok(exit(ended.status))
}

fn unconfigured(json: bool, begun: &DeviceStartResult) -> anyhow::Result<Exit> {
    if json {
        return Ok(Exit::Usage);
    }
    let message = begun.message.clone().unwrap_or_else(|| "there is no way to sign in".to_owned());
    Err(UsageError::new(message, begun.hint.clone().unwrap_or_default()).into())
}

fn invitation(begun: &DeviceStartResult, terminal: &Terminal) -> String {
    let output = terminal.output;
    let bold = |text: Option<&String>| {
        let text = text.map(String::as_str).unwrap_or_default();
        output.paint(Style::Bold, &output.foreign(text))
    };
    let page = bold(begun.verification_uri.as_ref());
    let minutes = begun.expires_in.unwrap_or_default() / 60;
    let whole = begun.verification_uri_complete.as_ref();
    let whole = whole.map(|page| format!("\nOr open, with nothing to type in: {}", bold(Some(page))));
    let code = bold(begun.user_code.as_ref());
    let whole = whole.unwrap_or_default();
    format!("Open this address: {page}\nThere, type in this code: {code}{whole}\nIt holds for {minutes} minutes.")
}

fn tell(ended: &DevicePollResult, terminal: &Terminal) -> std::io::Result<()> {
    let error = terminal.error;
    match &ended.login {
        Some(login) => terminal.print_line(&terminal.output.foreign(&told(login)))?,
        None => {
            let message = ended.message.as_deref().unwrap_or("the sign-in came to nothing");
            terminal.note(&format!("{} {}", error.paint(Style::Bad, "open-think:"), error.foreign(message)));
        }
    }
    let hint = match ended.status {
        // The daemon names the method, which the command stands for.
        DeviceStatus::Expired => Some("run the command again"),
        _ => ended.hint.as_deref(),
    };
    if let Some(hint) = hint {
        terminal.note(&format!("hint: {}", error.foreign(hint)));
    }
    Ok(())
}

fn exit(status: DeviceStatus) -> Exit {
    match status {
        DeviceStatus::Complete => Exit::Done,
        DeviceStatus::PendingConfiguration => Exit::Usage,
        _ => Exit::Failed,
    }
}

/// Asks until it is over, at the pace that the daemon gives.
async fn wait(
    terminal: &Terminal,
    client: &Client,
    params: &DevicePollParams,
    begun: &DeviceStartResult,
) -> anyhow::Result<DevicePollResult> {
    let mut spinner = Spinner::new(terminal);
    let mut interval = begun.interval.unwrap_or(INTERVAL);
    let mut expires = Instant::now() + Duration::from_secs(begun.expires_in.unwrap_or_default());
    let mut trouble = None;
    loop {
        let ask = Instant::now() + Duration::from_secs(interval.max(1));
        while Instant::now() < ask {
            spinner.show(waiting(expires.saturating_duration_since(Instant::now()), trouble.as_deref()));
            sleep(TICK.min(ask.saturating_duration_since(Instant::now()))).await;
        }
        let told = client.call::<names::DevicePoll>(params).await?;
        if !matches!(told.status, DeviceStatus::Pending | DeviceStatus::SlowDown) {
            return Ok(told);
        }
        interval = told.interval.unwrap_or(INTERVAL);
        expires = Instant::now() + Duration::from_secs(told.expires_in.unwrap_or_default());
        trouble = told.message;
    }
}

fn waiting(left: Duration, trouble: Option<&str>) -> String {
    let seconds = left.as_secs();
    let trouble = trouble.map(|trouble| format!("; {trouble}")).unwrap_or_default();
    format!("waiting for the sign-in, {}:{:02} left{trouble}", seconds / 60, seconds % 60)
}

fn told(login: &CodexLogin) -> String {
    let mut lines = vec![match (login.email.as_ref().or(login.account.as_ref()), &login.plan) {
        (Some(who), Some(plan)) => format!("Signed in as {who}, with the plan {plan}."),
        (Some(who), None) => format!("Signed in as {who}."),
        _ => "Signed in.".to_owned(),
    }];
    match &login.kept_in {
        Some(file) => lines.push(format!("The tokens are in {file}, which only you can read.")),
        None => lines.push("The Codex app-server keeps the tokens.".to_owned()),
    }
    let expiry = login.expires_at.and_then(date);
    lines.extend(expiry.map(|date| format!("They hold until {date}, and are refreshed before.")));
    lines.join("\n")
}

/// For people; none for one so far off that it has no name. Seconds since 1970.
pub fn date(seconds: u64) -> Option<String> {
    const YEAR_10000: u64 = 253_402_300_800;
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(Some(seconds).filter(|seconds| *seconds < YEAR_10000)?);
    Some(httpdate::fmt_http_date(time))
}

pub async fn logout(args: &LogoutArgs, terminal: &Terminal, client: &Client) -> anyhow::Result<Exit> {
    let Service::Codex = args.service;
    Exit::or_signal(signed_out(args.json, terminal, client)).await
}

async fn signed_out(json: bool, terminal: &Terminal, client: &Client) -> anyhow::Result<Exit> {
    let result = client.call::<names::Logout>(&Empty {}).await?;
    if json {
        terminal.print_json(&result)?;
        return Ok(Exit::Done);
    }
    let LogoutResult { signed_out, account, email, not_revoked } = result;
    let text = match (signed_out, email.or(account)) {
        (false, _) => "There was no sign-in of the daemon's own.".to_owned(),
        (true, Some(who)) => format!("The sign-in of {who} is deleted."),
        (true, None) => "The sign-in is deleted.".to_owned(),
    };
    terminal.print_line(&terminal.output.foreign(&text))?;
    if let Some(why) = not_revoked {
        let text = format!("It could not be revoked, and may hold elsewhere: {why}");
        terminal.note(&terminal.error.paint(Style::Warning, &terminal.error.foreign(&text)));
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{told, waiting};
    use crate::protocol::CodexLogin;

    #[test]
    fn the_time_that_is_left_is_told() {
        assert_eq!(waiting(Duration::from_secs(872), None), "waiting for the sign-in, 14:32 left");
        assert_eq!(waiting(Duration::from_secs(5), Some("no answer")), "waiting for the sign-in, 0:05 left; no answer");
    }

    #[test]
    fn what_came_of_it_is_told() {
        let text = |text: &str| Some(text.to_owned());
        let login = CodexLogin {
            owner: "daemon".to_owned(),
            account: text("acct-1"),
            email: text("a@b.example"),
            plan: text("pro"),
            expires_at: Some(784_111_777),
            kept_in: text("/state/codex-login.json"),
        };
        let lines = "Signed in as a@b.example, with the plan pro.\n\
                     The tokens are in /state/codex-login.json, which only you can read.\n\
                     They hold until Sun, 06 Nov 1994 08:49:37 GMT, and are refreshed before.";
        assert_eq!(told(&login), lines);
        let nothing = CodexLogin {
            owner: "app-server".to_owned(),
            account: None,
            email: None,
            plan: None,
            expires_at: Some(u64::MAX),
            kept_in: None,
        };
        assert_eq!(told(&nothing), "Signed in.\nThe Codex app-server keeps the tokens.");
    }
}
