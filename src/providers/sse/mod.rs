//! Server-sent events out of bytes: a plain value, bytes in, events out, however the bytes are cut.
//!
//! Text is decoded a line at a time, so a character cut in two by the network stays whole. It knows nothing of what
//! the events mean. An event cut off by the end of input is still given: half the servers forget the last blank line.

#[cfg(test)]
mod tests;

use std::ops::Range;

use memchr::{memchr, memchr2};

use crate::model::{ErrorKind, ProviderError};

/// More than any answer needs in one line, less than would hurt.
const MAX_EVENT: usize = 8 * 1024 * 1024;
const BOM: &[u8] = b"\xEF\xBB\xBF";

#[derive(Debug, PartialEq)]
pub struct Event<'a> {
    /// Empty unless the server named it.
    pub name: &'a str,
    /// Never empty.
    pub data: &'a str,
}

/// `buffer` holds what is not consumed yet: the data lines of the open event, then the line being read.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    /// Where the line being read begins.
    line: usize,
    /// Up to where that line was searched for its end.
    searched: usize,
    data: Data,
    /// An event's data that did not lie in one piece.
    joined: String,
    /// Of the event being read.
    name: String,
    /// Of the event last given.
    given: String,
    past_bom: bool,
    /// The last line ended in CR, so an LF that follows belongs to it.
    skip_lf: bool,
}

/// Almost every event has one data line, which is then read where it lies.
#[derive(Debug, Default)]
enum Data {
    #[default]
    None,
    One(Range<usize>),
    /// In `Decoder::joined`.
    Several,
}

impl Decoder {
    pub fn push(&mut self, chunk: &[u8]) {
        let keep = match &self.data {
            Data::One(range) => range.start,
            Data::None | Data::Several => self.line,
        };
        self.forget(keep);
        self.buffer.extend_from_slice(chunk);
    }

    /// The next whole event, if one has arrived. An error means that the stream cannot be read any further.
    pub fn next_event(&mut self) -> Result<Option<Event<'_>>, ProviderError> {
        if !self.past_bom && !self.skip_bom() {
            return Ok(None);
        }
        while let Some(line) = self.next_line() {
            if !line.is_empty() {
                self.read_field(line);
            } else if self.is_complete() {
                return Ok(Some(self.take()));
            }
        }
        if self.buffer.len() - self.line > MAX_EVENT || self.joined.len() > MAX_EVENT {
            return Err(ProviderError::new(ErrorKind::Protocol, format!("an event is longer than {MAX_EVENT} bytes")));
        }
        Ok(None)
    }

    /// What the end of input completes. Ask after `next_event` has nothing more.
    pub fn last_event(&mut self) -> Option<Event<'_>> {
        let rest = self.line..self.buffer.len();
        self.line = rest.end;
        if !rest.is_empty() {
            self.read_field(rest);
        }
        if self.is_complete() { Some(self.take()) } else { None }
    }

    fn forget(&mut self, keep: usize) {
        if keep == 0 {
            return;
        }
        self.buffer.drain(..keep);
        self.line -= keep;
        self.searched = self.searched.saturating_sub(keep);
        if let Data::One(range) = &mut self.data {
            *range = range.start - keep..range.end - keep;
        }
    }

    /// False while it cannot be known yet.
    fn skip_bom(&mut self) -> bool {
        if self.buffer.is_empty() || (self.buffer.len() < BOM.len() && BOM.starts_with(&self.buffer)) {
            return false;
        }
        if self.buffer.starts_with(BOM) {
            self.line = BOM.len();
        }
        self.past_bom = true;
        true
    }

    fn next_line(&mut self) -> Option<Range<usize>> {
        if self.skip_lf && self.line < self.buffer.len() {
            self.skip_lf = false;
            if self.buffer[self.line] == b'\n' {
                self.line += 1;
            }
        }
        let from = self.searched.max(self.line);
        let Some(offset) = memchr2(b'\n', b'\r', &self.buffer[from..]) else {
            self.searched = self.buffer.len();
            return None;
        };
        let end = from + offset;
        let line = self.line..end;
        self.skip_lf = self.buffer[end] == b'\r';
        self.line = end + 1;
        self.searched = self.line;
        Some(line)
    }

    fn read_field(&mut self, line: Range<usize>) {
        let text = &self.buffer[line.clone()];
        let (field, mut value) = match memchr(b':', text) {
            Some(colon) => (&text[..colon], line.start + colon + 1..line.end),
            None => (text, line.end..line.end),
        };
        if self.buffer.get(value.start) == Some(&b' ') && !value.is_empty() {
            value.start += 1;
        }
        match field {
            b"data" => self.add_data(value),
            b"event" => {
                self.name.clear();
                self.name.push_str(&String::from_utf8_lossy(&self.buffer[value]));
            }
            // Builds of llama.cpp report a failure in a field of this name, which no standard knows.
            b"error" => {
                self.name.clear();
                self.name.push_str("error");
                self.add_data(value);
            }
            // Comments, `id`, `retry` and what nobody has heard of.
            _ => {}
        }
    }

    fn add_data(&mut self, value: Range<usize>) {
        match std::mem::replace(&mut self.data, Data::Several) {
            Data::None => {
                self.data = Data::One(value);
                return;
            }
            Data::One(first) => {
                self.joined.clear();
                self.joined.push_str(&String::from_utf8_lossy(&self.buffer[first]));
            }
            Data::Several => {}
        }
        self.joined.push('\n');
        self.joined.push_str(&String::from_utf8_lossy(&self.buffer[value]));
    }

    /// At a blank line. An event without data is none, and its name goes with it.
    fn is_complete(&mut self) -> bool {
        let empty = match &self.data {
            Data::None => true,
            Data::One(range) => range.is_empty(),
            Data::Several => self.joined.bytes().all(|byte| byte == b'\n'),
        };
        if empty {
            self.data = Data::None;
            self.joined.clear();
            self.name.clear();
        }
        !empty
    }

    fn take(&mut self) -> Event<'_> {
        let data = std::mem::take(&mut self.data);
        std::mem::swap(&mut self.name, &mut self.given);
        self.name.clear();
        let Self { buffer, joined, given, .. } = self;
        let data = match data {
            // Not `from_utf8_lossy` at once: it goes byte by byte, and this is done for every piece of every answer.
            Data::One(range) => match str::from_utf8(&buffer[range.clone()]) {
                Ok(text) => text,
                Err(_) => {
                    *joined = String::from_utf8_lossy(&buffer[range]).into_owned();
                    joined.as_str()
                }
            },
            Data::None | Data::Several => joined.as_str(),
        };
        Event { name: given, data }
    }
}
