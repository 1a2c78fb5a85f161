//! One turn's notifications in, what happens out. Pure.
//!
//! A text that breaks off because the connection is lost is not said twice: its block stays open, says no more until
//! the item is complete, and then says what is missing.

use std::collections::HashSet;

use super::deed::deed;
use super::errors::turn_error;
use super::wire::{Item, Notice, Part, TokenUsage, Tokens, TurnError, TurnStatus, What};
use crate::model::{BlockStart, Delta, Ending, Happening, ProviderError, Usage};

#[derive(Debug)]
pub struct Fold {
    turn: String,
    next_index: u32,
    /// Of items that have started and are not complete, in the order in which they began.
    blocks: Vec<Block>,
    /// Items that have started before our eyes, so that what they say is heard from the beginning.
    heard: HashSet<String>,
    /// Items that nothing more is to be told of.
    told: HashSet<String>,
    /// The tokens of the thread that are accounted for, if that is known.
    accounted: Option<Tokens>,
    /// The model has answered since tokens were last told of.
    has_answered: bool,
}

#[derive(Debug)]
struct Block {
    item: String,
    part: Part,
    index: u32,
    said: String,
    /// Something is missing after what was said.
    is_torn: bool,
}

/// What is to be told of a notification, and whether that was the end.
#[derive(Debug, Default)]
pub struct Told {
    pub happenings: Vec<Happening>,
    pub end: Option<Result<Ending, ProviderError>>,
}

impl From<Vec<Happening>> for Told {
    fn from(happenings: Vec<Happening>) -> Self {
        Self { happenings, end: None }
    }
}

impl Fold {
    pub fn new(turn: impl Into<String>, accounted: Option<Tokens>) -> Self {
        Self {
            turn: turn.into(),
            next_index: 0,
            blocks: Vec::new(),
            heard: HashSet::new(),
            told: HashSet::new(),
            accounted,
            has_answered: false,
        }
    }

    pub fn turn(&self) -> &str {
        &self.turn
    }

    pub fn accounted(&self) -> Option<Tokens> {
        self.accounted
    }

    pub fn push(&mut self, notice: Notice) -> Told {
        let is_ours = notice.turn.as_ref().is_none_or(|turn| *turn == self.turn);
        match notice.what {
            What::Tokens(usage) if !is_ours => {
                self.accounted = Some(usage.total);
                Told::default()
            }
            _ if !is_ours => Told::default(),
            What::TurnStarted | What::Resolved { .. } => Told::default(),
            What::TurnEnded(turn) => self.end(turn.status, turn.error.as_ref()),
            What::ItemStarted(item) => {
                if let Some(id) = item.id() {
                    self.heard.insert(id.to_owned());
                    self.has_answered = true;
                }
                Told::default()
            }
            What::ItemCompleted(item) => self.complete(&item).into(),
            What::More { item, part, text } => self.more(&item, part, text).into(),
            What::Tokens(usage) => self.tokens(usage).into_iter().collect::<Vec<_>>().into(),
            What::Failed { error, will_retry: true } => vec![self.void(retry_reason(&error))].into(),
            // The end of the turn follows, and says the same.
            What::Failed { will_retry: false, .. } => Told::default(),
            What::Rerouted { model } => vec![Happening::Model(model)].into(),
            What::Warning(message) => vec![Happening::Warning(message)].into(),
        }
    }

    /// The connection is lost: what comes after it does not go on from where what came before it ended.
    pub fn tear(&mut self) {
        self.blocks.iter_mut().for_each(|block| block.is_torn = true);
        self.heard.clear();
    }

    /// Whether they were all heard of.
    pub fn knows(&self, items: &[Item]) -> bool {
        items.iter().filter_map(Item::id).all(|id| self.told.contains(id))
    }

    /// The items of the turn that are complete, as a list has them. What was told of them is not told again.
    pub fn catch_up<'a>(&mut self, items: impl IntoIterator<Item = &'a Item>) -> Vec<Happening> {
        items.into_iter().flat_map(|item| self.complete(item)).collect()
    }

    /// Takes the items as told without telling them.
    pub fn skip<'a>(&mut self, items: impl IntoIterator<Item = &'a Item>) {
        self.told.extend(items.into_iter().filter_map(Item::id).map(str::to_owned));
    }

    pub fn end(&mut self, status: TurnStatus, error: Option<&TurnError>) -> Told {
        let mut happenings = Vec::new();
        let end = match status {
            TurnStatus::InProgress => return Told::default(),
            TurnStatus::Completed => Ok(Ending::Done),
            TurnStatus::Interrupted => Ok(Ending::Interrupted),
            TurnStatus::Failed | TurnStatus::Unknown => Err(turn_error(error)),
        };
        if matches!(end, Ok(Ending::Done)) && self.blocks.iter().any(|block| block.is_torn) {
            happenings.push(self.void("it was begun anew while the connection was lost".to_owned()));
        }
        let rest = std::mem::take(&mut self.blocks);
        happenings.extend(rest.iter().map(|block| Happening::Said(Delta::Stop { index: block.index })));
        Told { happenings, end: Some(end) }
    }

    fn more(&mut self, item: &str, part: Part, text: String) -> Vec<Happening> {
        // What was said before we listened is missing: it is told as a whole when it is complete.
        if !self.heard.contains(item) || self.told.contains(item) || text.is_empty() {
            return Vec::new();
        }
        let known = self.blocks.iter_mut().find(|block| block.item == item && block.part == part);
        let Some(block) = known else {
            let (index, start) = self.start(part);
            let said = text.clone();
            self.blocks.push(Block { item: item.to_owned(), part, index, said, is_torn: false });
            return vec![start, Happening::Said(Delta::Text { index, text })];
        };
        if block.is_torn {
            return Vec::new();
        }
        block.said.push_str(&text);
        vec![Happening::Said(Delta::Text { index: block.index, text })]
    }

    fn complete(&mut self, item: &Item) -> Vec<Happening> {
        let Some(id) = item.id() else { return Vec::new() };
        if !self.told.insert(id.to_owned()) {
            return Vec::new();
        }
        self.heard.remove(id);
        self.has_answered = true;
        let mut happenings = Vec::new();
        for (part, whole) in item.texts() {
            self.complete_text(id, part, whole, &mut happenings);
        }
        // What the whole has no place for.
        let (done, rest) = std::mem::take(&mut self.blocks).into_iter().partition(|block| block.item == id);
        self.blocks = rest;
        let done: Vec<Block> = done;
        happenings.extend(done.iter().map(|block| Happening::Said(Delta::Stop { index: block.index })));
        happenings.extend(deed(item).map(Happening::Did));
        happenings
    }

    fn complete_text(&mut self, id: &str, part: Part, whole: &str, happenings: &mut Vec<Happening>) {
        let at = self.blocks.iter().position(|block| block.item == id && block.part == part);
        let known = at.map(|at| self.blocks.remove(at));
        if let Some(block) = &known
            && let Some(missing) = missing(&block.said, whole)
        {
            if !missing.is_empty() {
                happenings.push(Happening::Said(Delta::Text { index: block.index, text: missing.to_owned() }));
            }
            happenings.push(Happening::Said(Delta::Stop { index: block.index }));
            return;
        }
        if known.is_some() {
            happenings.push(self.void("it was put otherwise in the end".to_owned()));
        }
        if !whole.is_empty() {
            let (index, start) = self.start(part);
            happenings.push(start);
            happenings.push(Happening::Said(Delta::Text { index, text: whole.to_owned() }));
            happenings.push(Happening::Said(Delta::Stop { index }));
        }
    }

    fn start(&mut self, part: Part) -> (u32, Happening) {
        let index = self.next_index;
        self.next_index += 1;
        let block = match part {
            Part::Text => BlockStart::Text,
            Part::Summary(_) | Part::Thought(_) => BlockStart::Reasoning,
        };
        (index, Happening::Said(Delta::Start { index, block }))
    }

    /// Nothing of what is open is valid any more; items that go on all the same are told when they are complete.
    fn void(&mut self, reason: String) -> Happening {
        self.blocks.clear();
        self.heard.clear();
        Happening::Void(reason)
    }

    /// They are told of on other occasions too, without having changed.
    fn tokens(&mut self, TokenUsage { total, last }: TokenUsage) -> Option<Happening> {
        let has_answered = std::mem::take(&mut self.has_answered);
        let spent = match self.accounted.replace(total) {
            Some(before) if before == total => None,
            Some(before) => Some(total.since(before).unwrap_or(last)),
            None => has_answered.then_some(last),
        };
        spent.map(|spent| Happening::Responded(spent.into()))
    }
}

impl Tokens {
    /// None if it does not go on from there.
    fn since(self, before: Self) -> Option<Self> {
        Some(Self {
            input_tokens: self.input_tokens.checked_sub(before.input_tokens)?,
            cached_input_tokens: self.cached_input_tokens.checked_sub(before.cached_input_tokens)?,
            cache_write_input_tokens: self.cache_write_input_tokens.checked_sub(before.cache_write_input_tokens)?,
            output_tokens: self.output_tokens.checked_sub(before.output_tokens)?,
            reasoning_output_tokens: self.reasoning_output_tokens.checked_sub(before.reasoning_output_tokens)?,
        })
    }
}

impl From<Tokens> for Usage {
    fn from(tokens: Tokens) -> Self {
        Self {
            input_tokens: Some(tokens.input_tokens),
            output_tokens: Some(tokens.output_tokens),
            cached_tokens: Some(tokens.cached_input_tokens),
            cache_write_tokens: Some(tokens.cache_write_input_tokens),
            reasoning_tokens: Some(tokens.reasoning_output_tokens),
            cost_nano_usd: None,
        }
    }
}

/// What comes after what was said; None if the whole is another text. White space at the end is no difference.
fn missing<'a>(said: &str, whole: &'a str) -> Option<&'a str> {
    whole.strip_prefix(said).or_else(|| (said.trim_end() == whole.trim_end()).then_some(""))
}

fn retry_reason(error: &TurnError) -> String {
    match &error.additional_details {
        Some(details) if !details.is_empty() => format!("{} ({details})", error.message),
        _ => error.message.clone(),
    }
}
