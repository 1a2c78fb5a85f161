//! What a shim knows of the conversation that it passes on, as a plain value: which requests wait for an answer, and what
//! has to be said again to a daemon that takes the place of one that is gone.
//!
//! A client sees one connection. Requests that were under way when the daemon went are answered here; `initialize` and
//! subscriptions are repeated, skills registered again, and the answers to that kept from the client; what it answers to a
//! daemon that is gone is dropped.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde_json::value::{RawValue, to_raw_value};

use super::glance::{self, Glance};
use super::offers::Offers;
use crate::api::{of_reason, read_params};
use crate::protocol::{
    ApprovalResolvedParams, ClientSkill, CodexSubscribeParams, Method, Notification, SubscribeParams, names,
};
use crate::rpc::{Id, Reason, frame};

#[derive(Default)]
pub struct Core {
    /// Of the client's, in their order.
    in_flight: HashMap<Id, Asked>,
    asked: u64,
    /// Of the daemon's, by the ids under which the client knows them.
    questions: HashMap<Id, Question>,
    /// Daemons that have gone.
    lost: u32,
    introduction: Option<Box<RawValue>>,
    ready: bool,
    shut_down: bool,
    parent: Option<i64>,
    /// The sessions that the client watches, and the last event that it has heard of each.
    sessions: BTreeMap<String, u64>,
    /// The threads of the app-server's; none stands for all.
    threads: BTreeSet<Option<String>>,
    offers: Offers,
    /// Requests of ours whose answers are not the client's.
    repeated: u64,
    repeating: HashSet<Id>,
}

struct Asked {
    order: u64,
    /// A client may use an id twice, and gets two answers.
    count: u32,
    effect: Effect,
}

/// What holds once the request is granted.
enum Effect {
    Nothing,
    /// The frame itself goes to the next daemon if this one does not answer.
    Introduced(String),
    Watches(String, Option<u64>),
    Leaves(String),
    Hears(Option<String>),
    Ignores(Option<String>),
    /// Skills that are registered, or none where some are taken back: the answer says what is left.
    Offers(Vec<ClientSkill>),
}

struct Question {
    /// As the daemon gave it.
    id: Id,
    about: About,
}

/// What decides how the client hears that nobody waits for its answer any more.
enum About {
    Approval(ApprovalResolvedParams),
    Skill,
    Else,
}

#[derive(Debug, PartialEq)]
pub enum FromClient<'a> {
    ToDaemon(Cow<'a, str>),
    /// It answers somebody who is gone.
    Drop,
    /// The last that it says, and the exit code that it wants.
    Exit(u8),
}

#[derive(Debug, PartialEq)]
pub enum Alone {
    Answered(String),
    /// It answers somebody who is gone.
    Drop,
    Leaves,
    /// It takes a daemon to deal with it.
    Asks,
}

/// Ids of requests that we repeat. A client's would have to be the same on purpose.
const REPEATED: &str = "open-think-shim-";

impl Core {
    /// The process that the client says has started it.
    pub fn parent(&self) -> Option<i64> {
        self.parent
    }

    pub fn client_says<'a>(&mut self, text: &'a str) -> FromClient<'a> {
        let as_it_is = FromClient::ToDaemon(Cow::Borrowed(text));
        // The daemon says what is wrong with it.
        let Some(seen) = Glance::at(text) else { return as_it_is };
        let id = seen.id.and_then(Id::parse);
        match (seen.method.as_deref(), id) {
            (Some(method), Some(id)) => {
                let params = frame::params(seen.params).unwrap_or_default();
                self.request(method, id, params.as_deref(), text);
                as_it_is
            }
            (Some(names::Initialized::NAME), None) => {
                self.ready = true;
                as_it_is
            }
            (Some(names::Exit::NAME), None) => FromClient::Exit(u8::from(!self.shut_down)),
            (None, Some(id)) => self.answer(&id, &seen, text),
            (_, None) => as_it_is,
        }
    }

    /// What the client says while there is no daemon. None is started for one that takes its leave.
    pub fn says_alone(&mut self, text: &str) -> Alone {
        let Some(seen) = Glance::at(text) else { return Alone::Asks };
        match (seen.method.as_deref(), seen.id.and_then(Id::parse)) {
            (Some(names::Shutdown::NAME), Some(id)) => {
                self.shut_down = true;
                Alone::Answered(frame::answer(Some(&id), Ok(RawValue::NULL)))
            }
            (Some(names::Exit::NAME), None) => Alone::Leaves,
            (None, Some(_)) => Alone::Drop,
            _ => Alone::Asks,
        }
    }

    fn request(&mut self, method: &str, id: Id, params: Option<&RawValue>, text: &str) {
        let effect = match method {
            names::Initialize::NAME => {
                self.parent = self.parent.or_else(|| glance::process_id(params?));
                Effect::Introduced(text.to_owned())
            }
            names::Shutdown::NAME => {
                self.shut_down = true;
                Effect::Nothing
            }
            names::ConductorSubscribe::NAME => {
                session(params).map_or(Effect::Nothing, |of| Effect::Watches(of.0, of.1))
            }
            names::ConductorUnsubscribe::NAME => session(params).map_or(Effect::Nothing, |of| Effect::Leaves(of.0)),
            names::CodexSubscribe::NAME => thread(params).map_or(Effect::Nothing, Effect::Hears),
            names::CodexUnsubscribe::NAME => thread(params).map_or(Effect::Nothing, Effect::Ignores),
            names::SkillsRegister::NAME => Effect::Offers(params.map(glance::skills).unwrap_or_default()),
            names::SkillsUnregister::NAME => Effect::Offers(Vec::new()),
            _ => Effect::Nothing,
        };
        self.asked += 1;
        let new = Asked { order: self.asked, count: 0, effect };
        self.in_flight.entry(id).or_insert(new).count += 1;
    }

    fn answer<'a>(&mut self, id: &Id, seen: &Glance<'a>, text: &'a str) -> FromClient<'a> {
        let Some(question) = self.questions.remove(id) else {
            // Until one has gone, every id is the daemon's own.
            return if self.lost == 0 { FromClient::ToDaemon(Cow::Borrowed(text)) } else { FromClient::Drop };
        };
        if question.id == *id {
            return FromClient::ToDaemon(Cow::Borrowed(text));
        }
        let member = if seen.error.is_some() { "error" } else { "result" };
        let value = seen.error.or(seen.result).unwrap_or(RawValue::NULL);
        FromClient::ToDaemon(format!(r#"{{"jsonrpc":"2.0","id":{},"{member}":{value}}}"#, question.id).into())
    }

    /// The frame for the client, if it is one.
    pub fn daemon_says<'a>(&mut self, text: &'a str) -> Option<Cow<'a, str>> {
        let Some(seen) = Glance::at(text) else { return Some(text.into()) };
        let id = seen.id.and_then(Id::parse);
        match (seen.method.as_deref(), id) {
            (None, Some(id)) => self.answered(&id, &seen).then(|| text.into()),
            (Some(method), Some(id)) => Some(self.question(method, id, seen.params, text)),
            (Some(names::CancelRequest::NAME), None) => self.cancelled(seen.params, text),
            (Some(names::ConductorEvent::NAME), None) if !self.sessions.is_empty() => {
                self.heard(seen.params);
                Some(text.into())
            }
            _ => Some(text.into()),
        }
    }

    /// Whether the answer is the client's.
    fn answered(&mut self, id: &Id, seen: &Glance<'_>) -> bool {
        if self.repeating.remove(id) {
            return false;
        }
        let Some(asked) = self.in_flight.get_mut(id) else { return true };
        asked.count -= 1;
        let effect = std::mem::replace(&mut asked.effect, Effect::Nothing);
        if asked.count == 0 {
            self.in_flight.remove(id);
        }
        if seen.error.is_none() {
            self.apply(effect, seen.result);
        }
        true
    }

    fn apply(&mut self, effect: Effect, result: Option<&RawValue>) {
        match effect {
            Effect::Nothing => {}
            Effect::Introduced(frame) => {
                let params = Glance::at(&frame).and_then(|seen| seen.params.map(ToOwned::to_owned));
                self.introduction = Some(params.unwrap_or_else(glance::nothing));
            }
            Effect::Watches(session, after) => {
                let from = after.or_else(|| glance::seq(result?)).unwrap_or_default();
                self.sessions.insert(session, from);
            }
            Effect::Leaves(session) => drop(self.sessions.remove(&session)),
            Effect::Hears(thread) => drop(self.threads.insert(thread)),
            Effect::Ignores(thread) => drop(self.threads.remove(&thread)),
            Effect::Offers(skills) => self.offers.note(skills, result.map(glance::registered).unwrap_or_default()),
        }
    }

    fn heard(&mut self, params: Option<&RawValue>) {
        let Some((session, seq)) = params.and_then(glance::event) else { return };
        if let Some(last) = self.sessions.get_mut(session.as_ref()) {
            *last = seq.max(*last);
        }
    }

    /// The ids of a daemon that came later may be those of the one before it.
    fn question<'a>(&mut self, method: &str, id: Id, params: Option<&RawValue>, text: &'a str) -> Cow<'a, str> {
        let about = match method {
            names::Approval::NAME => params.and_then(glance::approval).map_or(About::Else, About::Approval),
            names::SkillsCall::NAME => About::Skill,
            _ => About::Else,
        };
        if self.lost == 0 {
            self.questions.insert(id.clone(), Question { id, about });
            return text.into();
        }
        let shown = format!("\"r{}{}", self.lost, id.to_string().trim_start_matches('"'));
        let Some(shown) = RawValue::from_string(shown).ok().as_deref().and_then(Id::parse) else { return text.into() };
        let params = params.map_or("{}", RawValue::get);
        let frame = frame::request(&shown, method, params);
        self.questions.insert(shown, Question { id, about });
        frame.into()
    }

    /// The daemon no longer waits for an answer. One that was given meanwhile has nothing to cancel.
    fn cancelled<'a>(&mut self, params: Option<&RawValue>, text: &'a str) -> Option<Cow<'a, str>> {
        let id = params.and_then(glance::cancelled)?;
        let shown = self.questions.iter().find(|(_, question)| question.id == id).map(|(shown, _)| shown.clone())?;
        self.questions.remove(&shown);
        Some(if shown == id { text.into() } else { cancel(&shown).into() })
    }

    /// Whether the client waits for an answer.
    pub fn is_waiting(&self) -> bool {
        !self.in_flight.is_empty()
    }

    /// What the client hears when the daemon goes: every request is answered, but for an introduction that the next one
    /// will answer.
    pub fn lost(&mut self) -> Vec<String> {
        self.lost += 1;
        self.repeating.clear();
        let settled = self.questions.drain().filter_map(|(shown, question)| match question.about {
            About::Approval(approval) => {
                let params = to_raw_value(&approval).ok()?;
                Some(frame::notification(names::ApprovalResolved::NAME, params.get()))
            }
            About::Skill => Some(cancel(&shown)),
            About::Else => None,
        });
        let mut frames: Vec<String> = settled.collect();
        frames.extend(self.fail(|effect| !matches!(effect, Effect::Introduced(_))));
        frames
    }

    /// The same when the shim ends: nothing stays without an answer.
    pub fn fail_all(&mut self) -> Vec<String> {
        self.fail(|_| true)
    }

    /// What makes the daemon stop what it does for the client.
    pub fn cancel_all(&self) -> Vec<String> {
        self.in_flight.keys().map(cancel).collect()
    }

    fn fail(&mut self, which: impl Fn(&Effect) -> bool) -> Vec<String> {
        let mut failed: Vec<(Id, Asked)> = self.in_flight.extract_if(|_, asked| which(&asked.effect)).collect();
        failed.sort_by_key(|(_, asked)| asked.order);
        let answers = failed
            .iter()
            .flat_map(|(id, asked)| (0..asked.count).map(move |_| refusal(Some(id), Reason::ShuttingDown)));
        answers.collect()
    }

    /// What the next daemon has to hear first.
    pub fn restored(&mut self) -> Vec<String> {
        let mut frames = Vec::new();
        if let Some(params) = self.introduction.clone() {
            frames.push(self.repeat(names::Initialize::NAME, params.get()));
        }
        let open = self.in_flight.values().filter_map(|asked| match &asked.effect {
            Effect::Introduced(frame) => Some(frame.clone()),
            _ => None,
        });
        frames.extend(open);
        if self.ready {
            frames.push(frame::notification(names::Initialized::NAME, "{}"));
        }
        let sessions = self.sessions.clone().into_iter();
        let sessions = sessions.map(|(session_name, seq)| SubscribeParams { session_name, after_seq: Some(seq) });
        let sessions: Vec<_> = sessions.filter_map(|params| to_raw_value(&params).ok()).collect();
        frames.extend(sessions.iter().map(|params| self.repeat(names::ConductorSubscribe::NAME, params.get())));
        let threads = self.threads.clone().into_iter().map(|thread_id| CodexSubscribeParams { thread_id });
        let threads: Vec<_> = threads.filter_map(|params| to_raw_value(&params).ok()).collect();
        frames.extend(threads.iter().map(|params| self.repeat(names::CodexSubscribe::NAME, params.get())));
        let skills = self.offers.again();
        frames.extend(skills.iter().map(|params| self.repeat(names::SkillsRegister::NAME, params.get())));
        frames
    }

    fn repeat(&mut self, method: &str, params: &str) -> String {
        self.repeated += 1;
        let id = Id::named(&format!("{REPEATED}{}", self.repeated));
        let frame = frame::request(&id, method, params);
        self.repeating.insert(id);
        frame
    }
}

fn cancel(id: &Id) -> String {
    frame::notification(names::CancelRequest::NAME, &format!("{{\"id\":{id}}}"))
}

/// A refusal in the daemon's own words.
pub fn refusal(id: Option<&Id>, reason: Reason) -> String {
    frame::answer(id, Err(&of_reason(reason, std::iter::empty()).into_object("-")))
}

fn session(params: Option<&RawValue>) -> Option<(String, Option<u64>)> {
    let params: SubscribeParams = read_params(params?.get())?;
    Some((params.session_name, params.after_seq))
}

fn thread(params: Option<&RawValue>) -> Option<Option<String>> {
    let Some(params) = params else { return Some(None) };
    let params: CodexSubscribeParams = read_params(params.get())?;
    Some(params.thread_id)
}

#[cfg(test)]
#[path = "core_tests.rs"]
mod tests;
