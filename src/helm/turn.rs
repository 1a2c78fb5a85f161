//! A turn as a plain value: what the model said and what the skills gave goes in, what to do next comes out.

use serde_json::Value;

use super::request::{Halted, StopReason};
use crate::model::Mode;
use crate::model::{Completion, Stop, ToolCall};
use crate::skills::{Permit, Registry};

#[derive(Debug)]
pub struct Turn {
    mode: Mode,
    /// Model calls made, those before a hold included.
    iterations: u32,
    /// Where the count must stop.
    cap: u32,
}

#[derive(Debug, PartialEq)]
pub enum Step {
    CallModel,
    /// What becomes of each call of the answer, in order.
    Skills(Vec<Planned>),
    End {
        stop: StopReason,
        halted: Option<Halted>,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    pub call: ToolCall,
    pub input: Value,
    pub verdict: Verdict,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// With others that are safe it may run at the same time.
    Run {
        safe: bool,
    },
    /// Not run; the model is told why.
    Refuse(String),
    Hold(String),
}

pub const HELD: &str = "dangerous skill held for approval";
pub const HELD_IN_PROPOSE: &str = "nothing runs in propose mode without approval";

impl Turn {
    /// `iterations` have been made before, which do not count towards the cap: somebody has looked in between.
    pub fn new(mode: Mode, max_iterations: u32, iterations: u32) -> Self {
        Self { mode, iterations, cap: iterations + max_iterations }
    }

    pub fn iterations(&self) -> u32 {
        self.iterations
    }

    /// Whether another model call may be made.
    pub fn may_go_on(&self) -> bool {
        self.iterations < self.cap
    }

    /// An engine's call of its model has ended.
    pub fn responded(&mut self) {
        self.iterations += 1;
    }

    /// The model has answered.
    pub fn answered(&mut self, answer: &Completion, skills: &Registry) -> Step {
        self.iterations += 1;
        let calls: Vec<&ToolCall> = answer.message.tool_calls().collect();
        if calls.is_empty() {
            return match answer.stop {
                Stop::Pause => self.call_again(),
                _ => Step::End { stop: stop_reason(&answer.stop), halted: None },
            };
        }
        let cut = cut_short(&answer.stop);
        let last = calls.len() - 1;
        let plan = |(index, call): (usize, &&ToolCall)| self.plan(call, cut.filter(|_| index == last), skills);
        Step::Skills(calls.iter().enumerate().map(plan).collect())
    }

    /// All calls of the answer are dealt with; `held` of them wait.
    pub fn skills_done(&self, held: bool) -> Step {
        if held {
            return Step::End { stop: StopReason::DangerousSkill, halted: Some(Halted::DangerousSkill) };
        }
        self.call_again()
    }

    fn call_again(&self) -> Step {
        if self.may_go_on() { Step::CallModel } else { capped() }
    }

    pub fn plan(&self, call: &ToolCall, cut: Option<&str>, skills: &Registry) -> Planned {
        let (input, verdict) = match call.input() {
            Err(fault) => (Value::String(call.arguments.clone()), Verdict::Refuse(fault)),
            Ok(input) => {
                let verdict = self.verdict(call, &input, skills);
                (input, verdict)
            }
        };
        let verdict = cut.map_or(verdict, |why| Verdict::Refuse(why.to_owned()));
        Planned { call: call.clone(), input, verdict }
    }

    fn verdict(&self, call: &ToolCall, input: &Value, skills: &Registry) -> Verdict {
        let Some(skill) = skills.get(&call.name) else {
            return Verdict::Refuse(format!("skill '{}' is not available", call.name));
        };
        if let Err(fault) = skill.check(input) {
            return Verdict::Refuse(fault.to_string());
        }
        match Permit::for_mode(self.mode, skill.spec()) {
            Permit::Run => Verdict::Run { safe: !skill.spec().dangerous },
            Permit::Hold if self.mode == Mode::Propose => Verdict::Hold(HELD_IN_PROPOSE.to_owned()),
            Permit::Hold => Verdict::Hold(HELD.to_owned()),
        }
    }
}

/// The model wants to go on and may not.
pub fn capped() -> Step {
    Step::End { stop: StopReason::IterationCap, halted: Some(Halted::IterationCap) }
}

impl Planned {
    pub fn is_held(&self) -> bool {
        matches!(self.verdict, Verdict::Hold(_))
    }
}

/// Why an answer that stopped so may have lost the end of its last call, however well that parses.
fn cut_short(stop: &Stop) -> Option<&'static str> {
    match stop {
        Stop::MaxTokens => Some("the call was cut off at the token limit"),
        Stop::ContextExceeded => Some("the call was cut off at the end of the model's context"),
        Stop::Refusal(_) | Stop::ContentFilter => Some("the answer was stopped before the call was complete"),
        Stop::EndTurn | Stop::ToolUse | Stop::Pause | Stop::StopSequence | Stop::Other(_) => None,
    }
}

pub fn stop_reason(stop: &Stop) -> StopReason {
    match stop {
        Stop::EndTurn => StopReason::EndTurn,
        Stop::ToolUse | Stop::Pause => StopReason::ToolUse,
        Stop::MaxTokens => StopReason::MaxTokens,
        Stop::StopSequence => StopReason::StopSequence,
        Stop::Refusal(_) => StopReason::Refusal,
        Stop::ContentFilter => StopReason::ContentFilter,
        Stop::ContextExceeded => StopReason::ContextExceeded,
        Stop::Other(_) => StopReason::Other,
    }
}

#[cfg(test)]
#[path = "turn_tests.rs"]
mod tests;
