//! Deltas folded into a whole answer.

use super::{Block, BlockStart, Completion, Delta, Message, Metadata, Opaque, Role, Stop, ToolCall, Usage};

/// Blocks keep the order in which they started, whatever order they stop in.
#[derive(Debug, Default)]
pub struct Fold {
    blocks: Vec<(u32, Block)>,
    usage: Usage,
    model: Option<String>,
    metadata: Metadata,
    stop: Option<Stop>,
}

impl Fold {
    pub fn push(&mut self, delta: &Delta) {
        match delta {
            Delta::Model(model) => self.model = Some(model.clone()),
            Delta::Start { index, block } => self.blocks.push((*index, open(block))),
            Delta::Text { index, text: more } => {
                if let Some(Block::Text { text } | Block::Reasoning { text, .. }) = self.block(*index) {
                    text.push_str(more);
                }
            }
            Delta::Arguments { index, partial } => {
                if let Some(Block::ToolCall(call)) = self.block(*index) {
                    call.arguments.push_str(partial);
                }
            }
            Delta::Opaque { index, opaque } => self.set_opaque(*index, opaque),
            Delta::Stop { .. } => {}
            Delta::Usage(usage) => self.usage.replace_with(*usage),
            Delta::Metadata(more) => self.metadata.extend(more.clone()),
            Delta::Finished(stop) => self.stop = Some(stop.clone()),
        }
    }

    /// The block as far as it has come.
    pub fn get(&self, index: u32) -> Option<&Block> {
        self.blocks.iter().rev().find(|(at, _)| *at == index).map(|(_, block)| block)
    }

    /// What came of the block is void.
    pub fn forget(&mut self, index: u32) {
        self.blocks.retain(|(at, _)| *at != index);
    }

    /// Whether anything a person or a tool would see has arrived.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// The answer as far as it came, and whether it was finished rather than broken off.
    pub fn finish(self) -> (Completion, bool) {
        let finished = self.stop.is_some();
        let blocks = self.blocks.into_iter().map(|(_, block)| block);
        // Vendors refuse empty text blocks when the answer is sent back.
        let blocks = blocks.filter(|block| !matches!(block, Block::Text { text } if text.is_empty()));
        let message = Message { role: Role::Assistant, blocks: blocks.collect() };
        let mut stop = self.stop.unwrap_or(Stop::EndTurn);
        if stop == Stop::EndTurn && message.tool_calls().next().is_some() {
            stop = Stop::ToolUse;
        }
        (Completion { message, usage: self.usage, stop, model: self.model, metadata: self.metadata }, finished)
    }

    fn block(&mut self, index: u32) -> Option<&mut Block> {
        self.blocks.iter_mut().rev().find(|(at, _)| *at == index).map(|(_, block)| block)
    }

    fn set_opaque(&mut self, index: u32, new: &Opaque) {
        let Some(at) = self.blocks.iter().rposition(|(at, _)| *at == index) else { return };
        match self.blocks.get_mut(at).map(|(_, block)| block) {
            Some(Block::Text { .. }) => self.blocks.insert(at + 1, (index, Block::Foreign { opaque: new.clone() })),
            Some(Block::Reasoning { opaque, .. }) => *opaque = Some(new.clone()),
            Some(Block::ToolCall(call)) => call.opaque = Some(new.clone()),
            Some(Block::Foreign { opaque }) => *opaque = new.clone(),
            _ => {}
        }
    }
}

fn open(start: &BlockStart) -> Block {
    match start.clone() {
        BlockStart::Text => Block::Text { text: String::new() },
        BlockStart::Reasoning => Block::Reasoning { text: String::new(), opaque: None },
        BlockStart::ToolCall { id, name } => {
            Block::ToolCall(ToolCall { id, name, arguments: String::new(), opaque: None })
        }
        BlockStart::Foreign(opaque) => Block::Foreign { opaque },
    }
}
