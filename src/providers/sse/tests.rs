use proptest::prelude::{any, prop_assert_eq, proptest};
use proptest::{collection, sample};

use super::{Decoder, MAX_EVENT};
use crate::model::ErrorKind;

type Events = Vec<(String, String)>;

fn events(chunks: &[&[u8]]) -> Events {
    let mut decoder = Decoder::default();
    let mut events = Vec::new();
    for chunk in chunks {
        decoder.push(chunk);
        while let Some(event) = decoder.next_event().expect("no event is too long") {
            events.push((event.name.to_owned(), event.data.to_owned()));
        }
    }
    let last = decoder.last_event().map(|event| (event.name.to_owned(), event.data.to_owned()));
    events.extend(last);
    events
}

/// The same whole, cut in two at every byte, and byte by byte.
fn check(bytes: &[u8], expected: &[(&str, &str)]) {
    let expected: Events = expected.iter().map(|(name, data)| ((*name).to_owned(), (*data).to_owned())).collect();
    assert_eq!(events(&[bytes]), expected);
    for cut in 0..=bytes.len() {
        let (head, tail) = bytes.split_at(cut);
        assert_eq!(events(&[head, tail]), expected, "cut at {cut}");
    }
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(events(&single), expected);
}

#[test]
fn quirk_02_line_ends_of_all_kinds() {
    check(b"data: a\n\ndata: b\n\n", &[("", "a"), ("", "b")]);
    check(b"data: a\r\n\r\ndata: b\r\n\r\n", &[("", "a"), ("", "b")]);
    check(b"data: a\r\rdata: b\r\r", &[("", "a"), ("", "b")]);
    check(b"data: a\r\n\ndata: b\n\r\n", &[("", "a"), ("", "b")]);
}

#[test]
fn quirk_02_fields_of_all_kinds_and_a_mark_at_the_start() {
    check(b"data:a\n\n", &[("", "a")]);
    check(b"data:  a \n\n", &[("", " a ")]);
    check(b"data: a\ndata: b\ndata:\ndata: c\n\n", &[("", "a\nb\n\nc")]);
    check(b"event: ping\nid: 7\nretry: 10\nwhat\ndata: {}\n\ndata: x\n\n", &[("ping", "{}"), ("", "x")]);
    check(b"data: x\nevent: late\n\n", &[("late", "x")]);
    check(b"error: {\"code\":500}\n\n", &[("error", "{\"code\":500}")]);
    check(b"\xEF\xBB\xBFdata: a\n\n", &[("", "a")]);
}

#[test]
fn quirk_03_comments_and_blank_lines_are_no_event() {
    check(b": PROCESSING\n\n: ping\n\n\n\ndata: a\n\n:\n\n", &[("", "a")]);
    check(b"data:\n\ndata\n\nevent: nothing\n\ndata: a\n\n", &[("", "a")]);
    check(b"data:\ndata:\n\ndata: a\ndata:\n\n", &[("", "a\n")]);
    check(b"", &[]);
}

#[test]
fn quirk_02_the_end_of_input_completes_an_event() {
    check(b"data: a\n\ndata: b", &[("", "a"), ("", "b")]);
    check(b"data: a\n\ndata: b\n", &[("", "a"), ("", "b")]);
    check(b"event: x\ndata: a\ndata: b\r", &[("x", "a\nb")]);
}

#[test]
fn quirk_01_characters_cut_in_two_stay_whole_and_bad_bytes_are_replaced() {
    check("data: é 漢 🌦 \\ud83c\\udf26\n\n".as_bytes(), &[("", "é 漢 🌦 \\ud83c\\udf26")]);
    check(b"data: a\xFFb\n\ndata: c\n\n", &[("", "a\u{FFFD}b"), ("", "c")]);
}

#[test]
fn quirk_02_a_line_without_end_is_an_error_before_it_fills_the_memory() {
    let mut decoder = Decoder::default();
    let chunk = vec![b'x'; 1024 * 1024];
    let mut taken = 0;
    let error = loop {
        decoder.push(&chunk);
        taken += chunk.len();
        match decoder.next_event() {
            Ok(event) => assert_eq!(event, None),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind, ErrorKind::Protocol);
    assert!(taken <= MAX_EVENT + chunk.len());
}

const PIECES: [&[u8]; 14] = [
    b"data: ",
    b"data:",
    b"event: ",
    b"error: ",
    b": ",
    b"abc",
    "é漢🌦".as_bytes(),
    b"\xFF",
    b"\xEF\xBB\xBF",
    b" ",
    b"\n",
    b"\r\n",
    b"\r",
    b"\n\n",
];

proptest! {
    #[test]
    fn quirk_02_cuts_do_not_matter(pieces in collection::vec(sample::select(&PIECES[..]), 0..40), cuts in collection::vec(any::<u16>(), 0..8)) {
        let bytes = pieces.concat();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| usize::from(*cut) % (bytes.len() + 1)).collect();
        cuts.sort_unstable();
        let mut chunks = Vec::new();
        let mut from = 0;
        for cut in cuts {
            chunks.push(&bytes[from..cut]);
            from = cut;
        }
        chunks.push(&bytes[from..]);
        prop_assert_eq!(events(&chunks), events(&[&bytes]));
    }
}
