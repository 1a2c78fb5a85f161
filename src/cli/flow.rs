//! Which text of a turn to write next, as a plain value: events in, pieces of text out.
//!
//! Blocks may overlap and events may be missing. One block is written at a time, and what was missed is made good when
//! the block ends or, at the latest, from the turn's result.

#[derive(Debug, PartialEq)]
pub enum Piece {
    /// Goes on where the text before it stopped.
    More(String),
    /// Begins on a new line.
    Anew(String),
    /// Ends the line.
    End,
}

#[derive(Default)]
pub struct Flow {
    /// The block that is being written, and what of it was.
    open: Option<(u32, String)>,
    /// Blocks that ended while another was being written.
    waiting: Vec<String>,
    /// All that was written since the last call of a model.
    said: String,
}

impl Flow {
    /// A model is called; what was said before is over.
    pub fn restart(&mut self) {
        self.said.clear();
    }

    pub fn delta(&mut self, index: u32, text: &str) -> Option<Piece> {
        let (open, shown) = self.open.get_or_insert_with(|| (index, String::new()));
        if *open != index {
            return None;
        }
        shown.push_str(text);
        self.said.push_str(text);
        Some(Piece::More(text.to_owned()))
    }

    pub fn stop(&mut self, index: u32, whole: &str) -> Vec<Piece> {
        let mut pieces = Vec::new();
        match self.open.take() {
            Some((open, shown)) if open == index => match whole.strip_prefix(&shown) {
                Some(rest) => pieces.push(Piece::More(rest.to_owned())),
                None => pieces.push(Piece::Anew(whole.to_owned())),
            },
            Some(other) => {
                self.open = Some(other);
                self.waiting.push(whole.to_owned());
                return pieces;
            }
            None => pieces.push(Piece::More(whole.to_owned())),
        }
        pieces.extend(self.waiting.drain(..).map(Piece::Anew));
        for piece in &pieces {
            if let Piece::More(text) | Piece::Anew(text) = piece {
                self.said.push_str(text);
            }
        }
        pieces.push(Piece::End);
        pieces
    }

    /// The block that is being written is void, and gets no end. Blocks that ended meanwhile are not.
    pub fn void(&mut self) -> Vec<Piece> {
        let Some((_, shown)) = self.open.take() else { return Vec::new() };
        self.said.truncate(self.said.len() - shown.len());
        let mut pieces: Vec<Piece> = vec![Piece::End];
        for whole in self.waiting.drain(..) {
            self.said.push_str(&whole);
            pieces.extend([Piece::Anew(whole), Piece::End]);
        }
        pieces
    }

    /// What the turn's last message holds and was never written.
    pub fn finish(&mut self, content: &str) -> Option<Piece> {
        // Blank lines around what was taken out of the text may differ.
        let squeezed = |text: &str| text.split_whitespace().collect::<String>();
        let complete = squeezed(&self.said).contains(&squeezed(content));
        (!complete).then(|| Piece::Anew(content.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Flow, Piece};

    enum Event {
        Delta(u32, &'static str),
        Stop(u32, &'static str),
        Void,
    }
    use Event::{Delta, Stop, Void};

    #[track_caller]
    fn check(events: &[Event], content: &str, expected: &str) {
        let mut flow = Flow::default();
        let mut pieces = Vec::new();
        for event in events {
            match event {
                Delta(index, text) => pieces.extend(flow.delta(*index, text)),
                Stop(index, whole) => pieces.extend(flow.stop(*index, whole)),
                Void => pieces.extend(flow.void()),
            }
        }
        pieces.extend(flow.finish(content));
        let written = pieces.iter().map(|piece| match piece {
            Piece::More(text) => text.clone(),
            Piece::Anew(text) => format!("^{text}"),
            Piece::End => "$".to_owned(),
        });
        assert_eq!(written.collect::<String>(), expected);
    }

    #[test]
    fn all_of_the_text_is_written_once() {
        check(&[Delta(0, "a "), Delta(0, "b"), Stop(0, "a b")], "a b", "a b$");
        check(&[Stop(0, "a b")], "a b", "a b$");
        check(&[Delta(0, "a "), Stop(0, "a b")], "a  b", "a b$");
    }

    #[test]
    fn what_was_missed_is_made_good() {
        check(&[], "a b", "^a b");
        check(&[Delta(0, "b"), Stop(0, "a b")], "a b", "b^a b$");
        check(&[Delta(0, "a ")], "a b", "a ^a b");
        check(&[Delta(0, "a")], "a", "a");
    }

    #[test]
    fn what_is_void_is_said_anew() {
        check(&[Delta(0, "a"), Void, Delta(1, "a b"), Stop(1, "a b")], "a b", "a$a b$");
        check(&[Delta(0, "lost"), Stop(1, "kept"), Void], "kept", "lost$^kept$");
        check(&[Delta(0, "said"), Void], "said", "said$^said");
        check(&[Void, Delta(0, "a"), Stop(0, "a")], "a", "a$");
    }

    #[test]
    fn blocks_that_overlap_do_not_mix() {
        let events = [Delta(0, "a"), Delta(1, "x"), Delta(0, "b"), Stop(1, "xy"), Stop(0, "ab"), Stop(2, "z")];
        check(&events, "z", "ab^xy$z$");
    }
}
