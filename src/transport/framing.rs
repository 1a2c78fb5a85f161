//! The two framings of a byte stream, as a plain value: bytes in, frames out.
//!
//! Which one is spoken is decided once, strictly, by the first byte of the first message: a web page can post to a
//! local port, and a lenient reader would find a valid frame in its request.

use bytes::{Buf, BytesMut};
use memchr::memchr;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// One JSON object a line.
    Lines,
    /// `Content-Length` headers, as the language server protocol has them.
    Headers,
}

#[derive(Clone, Copy, Debug)]
pub struct FrameLimits {
    pub frame_bytes: usize,
    pub header_bytes: usize,
}

/// What a connection can go on after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inbound {
    Frame(String),
    /// Over the limit; its bytes were passed over.
    TooLong {
        limit: usize,
    },
    NotUtf8,
}

/// What a connection cannot go on after. The text is one line for whoever started us.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("the input begins with neither '{{' nor 'Content-Length': this is not a JSON-RPC client")]
    NotJsonRpc,
    #[error("a header block is broken: {0}")]
    Header(String),
}

/// Longer announcements are a fault, not a frame to pass over.
const MAX_SKIP: usize = 1 << 30;

#[derive(Debug)]
pub struct Decoder {
    limits: FrameLimits,
    framing: Option<Framing>,
    buffer: BytesMut,
    /// Up to where the buffer is known to hold no end of line.
    scanned: usize,
    state: State,
}

#[derive(Debug, PartialEq)]
enum State {
    /// At the start of a line or a header block.
    Start,
    /// The header block said so many bytes.
    Body(usize),
    /// Passing over the rest of a line that is too long.
    SkipLine,
    /// Passing over a body that is too long.
    SkipBody(usize),
}

impl Decoder {
    pub fn new(limits: FrameLimits) -> Self {
        Self { limits, framing: None, buffer: BytesMut::new(), scanned: 0, state: State::Start }
    }

    /// Where the bytes read go.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Known from the first byte on.
    pub fn framing(&self) -> Option<Framing> {
        self.framing
    }

    /// The next whole frame of what has been read; `None` until more comes.
    pub fn decode(&mut self) -> Result<Option<Inbound>, Fault> {
        if self.framing.is_none() && !self.detect()? {
            return Ok(None);
        }
        match self.framing {
            Some(Framing::Lines) => Ok(self.line()),
            Some(Framing::Headers) => self.header_frame(),
            None => Ok(None),
        }
    }

    /// What a last line without an end of line amounts to.
    pub fn finish(&mut self) -> Option<Inbound> {
        if self.framing != Some(Framing::Lines) || self.state != State::Start {
            return None;
        }
        let rest = self.buffer.split();
        self.scanned = 0;
        (!rest.trim_ascii().is_empty()).then(|| frame(&rest))
    }

    /// Whether the framing is known now.
    fn detect(&mut self) -> Result<bool, Fault> {
        const BOM: &[u8] = b"\xef\xbb\xbf";
        const NAME: &[u8] = b"content-";
        if self.buffer.starts_with(BOM) {
            self.buffer.advance(BOM.len());
        }
        let blank = self.buffer.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        self.buffer.advance(blank);
        if self.buffer.is_empty() || BOM.starts_with(&self.buffer) {
            return Ok(false);
        }
        let start = &self.buffer[..self.buffer.len().min(NAME.len())];
        if start[0] == b'{' {
            self.framing = Some(Framing::Lines);
        } else if start.eq_ignore_ascii_case(&NAME[..start.len()]) {
            if start.len() < NAME.len() {
                return Ok(false);
            }
            self.framing = Some(Framing::Headers);
        } else {
            return Err(Fault::NotJsonRpc);
        }
        Ok(true)
    }

    fn line(&mut self) -> Option<Inbound> {
        loop {
            let end = memchr(b'\n', &self.buffer[self.scanned..]);
            let Some(end) = end.map(|offset| self.scanned + offset) else {
                return self.unfinished_line();
            };
            let line = self.buffer.split_to(end + 1);
            self.scanned = 0;
            if self.state == State::SkipLine {
                self.state = State::Start;
                continue;
            }
            if without_end(&line).len() > self.limits.frame_bytes {
                return Some(Inbound::TooLong { limit: self.limits.frame_bytes });
            }
            let line = line.trim_ascii();
            if !line.is_empty() {
                return Some(frame(line));
            }
        }
    }

    fn unfinished_line(&mut self) -> Option<Inbound> {
        self.scanned = self.buffer.len();
        if without_end(&self.buffer).len() <= self.limits.frame_bytes {
            return None;
        }
        self.buffer.clear();
        self.scanned = 0;
        if self.state == State::SkipLine {
            return None;
        }
        self.state = State::SkipLine;
        Some(Inbound::TooLong { limit: self.limits.frame_bytes })
    }

    fn header_frame(&mut self) -> Result<Option<Inbound>, Fault> {
        if self.state == State::Start {
            let Some(length) = self.header_block()? else { return Ok(None) };
            self.state = if length > self.limits.frame_bytes { State::SkipBody(length) } else { State::Body(length) };
        }
        match self.state {
            State::Body(length) if self.buffer.len() >= length => {
                self.state = State::Start;
                Ok(Some(frame(&self.buffer.split_to(length))))
            }
            State::SkipBody(left) => {
                let now = left.min(self.buffer.len());
                self.buffer.advance(now);
                if now < left {
                    self.state = State::SkipBody(left - now);
                    return Ok(None);
                }
                self.state = State::Start;
                Ok(Some(Inbound::TooLong { limit: self.limits.frame_bytes }))
            }
            _ => Ok(None),
        }
    }

    /// The length that a complete header block announces.
    fn header_block(&mut self) -> Result<Option<usize>, Fault> {
        const END: &[u8] = b"\r\n\r\n";
        let from = self.scanned.saturating_sub(END.len());
        let found = self.buffer[from..].windows(END.len()).position(|window| window == END);
        let found = found.map(|offset| from + offset);
        // Waiting for the end of a block that ends its lines otherwise would be waiting for ever.
        if has_bare_line_feed(&self.buffer[from..found.unwrap_or(self.buffer.len())]) {
            return Err(Fault::Header("its lines must end in CR LF".to_owned()));
        }
        let Some(end) = found else {
            self.scanned = self.buffer.len();
            if self.buffer.len() > self.limits.header_bytes {
                let limit = self.limits.header_bytes;
                return Err(Fault::Header(format!("no end within {limit} bytes")));
            }
            return Ok(None);
        };
        if end > self.limits.header_bytes {
            return Err(Fault::Header(format!("it is longer than {} bytes", self.limits.header_bytes)));
        }
        let block = self.buffer.split_to(end + END.len());
        self.scanned = 0;
        content_length(&block[..end]).map(Some)
    }
}

fn has_bare_line_feed(block: &[u8]) -> bool {
    block.windows(2).any(|pair| pair[1] == b'\n' && pair[0] != b'\r')
}

/// A line without its end, or without what of it has come.
fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn content_length(block: &[u8]) -> Result<usize, Fault> {
    let fault = |why: &str| Fault::Header(why.to_owned());
    let text = std::str::from_utf8(block).map_err(|_| fault("it is not text"))?;
    let mut length = None;
    for line in text.split("\r\n") {
        let (name, value) = line.split_once(':').ok_or_else(|| fault("a line has no ':'"))?;
        if name.eq_ignore_ascii_case("content-length") {
            let value = value.trim();
            let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
            let value = digits.then(|| value.parse::<usize>().ok()).flatten();
            let value = value.filter(|value| *value <= MAX_SKIP);
            let value = value.ok_or_else(|| fault("Content-Length is not a length"))?;
            if length.replace(value).is_some() {
                return Err(fault("Content-Length is there twice"));
            }
        } else if !name.eq_ignore_ascii_case("content-type") {
            return Err(fault("only Content-Length and Content-Type may stand in it"));
        }
    }
    length.ok_or_else(|| fault("Content-Length is missing"))
}

fn frame(bytes: &[u8]) -> Inbound {
    std::str::from_utf8(bytes).map_or(Inbound::NotUtf8, |text| Inbound::Frame(text.to_owned()))
}

impl Framing {
    /// `frame` holds no line break: JSON escapes them.
    pub fn encode(self, frame: &str, out: &mut Vec<u8>) {
        match self {
            Self::Lines => {
                out.extend_from_slice(frame.as_bytes());
                out.push(b'\n');
            }
            Self::Headers => {
                out.extend_from_slice(format!("Content-Length: {}\r\n\r\n", frame.len()).as_bytes());
                out.extend_from_slice(frame.as_bytes());
            }
        }
    }
}

#[cfg(test)]
#[path = "framing_tests.rs"]
mod tests;
