use proptest::prelude::*;

use super::*;

const LIMITS: FrameLimits = FrameLimits { frame_bytes: 64, header_bytes: 80 };

/// More is never kept while the decoder waits: neither a frame that is not whole nor a header block may be longer.
const BOUND: usize = if LIMITS.frame_bytes > LIMITS.header_bytes { LIMITS.frame_bytes } else { LIMITS.header_bytes };

/// Feeds the input in chunks of the given size and says what came out, to the first fault or the end.
fn decode(input: &[u8], chunk: usize) -> (Vec<Inbound>, Option<Fault>) {
    let mut decoder = Decoder::new(LIMITS);
    let mut frames = Vec::new();
    for bytes in input.chunks(chunk) {
        decoder.buffer().extend_from_slice(bytes);
        loop {
            match decoder.decode() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(fault) => return (frames, Some(fault)),
            }
        }
        let kept = decoder.buffer().len();
        assert!(kept <= BOUND, "{kept} bytes kept while more is waited for, in chunks of {chunk}");
    }
    frames.extend(decoder.finish());
    (frames, None)
}

#[track_caller]
fn check(input: &[u8], frames: &[&str]) {
    let expected: Vec<Inbound> = frames.iter().map(|text| Inbound::Frame((*text).to_owned())).collect();
    for chunk in [1, 2, 7, 1000] {
        assert_eq!(decode(input, chunk), (expected.clone(), None), "in chunks of {chunk}");
    }
}

#[track_caller]
fn check_fault(input: &[u8], fault: &str) {
    for chunk in [1, 7, 1000] {
        let (frames, found) = decode(input, chunk);
        assert_eq!(frames, [], "in chunks of {chunk}");
        let found = found.map(|fault| fault.to_string()).unwrap_or_default();
        assert!(found.contains(fault), "in chunks of {chunk}: {found}");
    }
}

#[test]
fn lines() {
    check(b"{}\n{\"a\":1}\r\n\n{}", &["{}", "{\"a\":1}", "{}"]);
    check(b"\xef\xbb\xbf \r\n\n{}\n", &["{}"]);
    check("{\"a\":\"żółw\"}\n".as_bytes(), &["{\"a\":\"żółw\"}"]);
}

#[test]
fn a_last_line_needs_no_end() {
    let mut decoder = Decoder::new(LIMITS);
    decoder.buffer().extend_from_slice(b"{}");
    assert_eq!(decoder.decode(), Ok(None));
    assert_eq!(decoder.finish(), Some(Inbound::Frame("{}".to_owned())));
    assert_eq!(decoder.decode(), Ok(None));
}

#[test]
fn headers() {
    check(b"Content-Length: 2\r\n\r\n{}Content-Length: 0\r\n\r\ncontent-length:3\r\n\r\n{ }", &["{}", "", "{ }"]);
    check(b"Content-Type: application/json; charset=utf8\r\nContent-Length: 2\r\n\r\n{}", &["{}"]);
}

#[test]
fn other_first_bytes_are_refused() {
    let others: [&[u8]; 6] =
        [b"[1]\n", b"GET / HTTP/1.1\r\n", b"POST /a:b HTTP/1.1\r\n", b"\x16\x03\x01", b"x", b"contend"];
    for input in others {
        check_fault(input, "not a JSON-RPC client");
    }
}

#[test]
fn header_blocks_are_strict() {
    for (block, fault) in [
        ("Content-Length: x\r\n\r\n", "not a length"),
        ("Content-Length: -1\r\n\r\n", "not a length"),
        ("Content-Length: +2\r\n\r\n", "not a length"),
        ("Content-Length: 99999999999999999999\r\n\r\n", "not a length"),
        ("Content-Length: 2\r\nContent-Length: 2\r\n\r\n", "twice"),
        ("Content-Type: a\r\n\r\n", "missing"),
        ("Content-Length: 2\r\nHost: a\r\n\r\n{}", "may stand"),
        ("Content-Length: 2\r\nnonsense\r\n\r\n{}", "no ':'"),
        ("Content-Length: 2\n\n{}", "CR LF"),
        (&format!("Content-Length: 2\r\nContent-Type: {}", "a".repeat(80)), "no end within"),
    ] {
        check_fault(block.as_bytes(), fault);
    }
}

#[test]
fn a_line_of_exactly_the_limit_passes_however_it_ends() {
    let line = format!("{{{}}}", " ".repeat(LIMITS.frame_bytes - 2));
    for end in ["\n", "\r\n", ""] {
        check(format!("{line}{end}").as_bytes(), &[line.as_str()]);
    }
    for end in ["\n", "\r\n"] {
        for chunk in [1, 7, 1000] {
            let decoded = decode(format!("{line} {end}{{}}{end}").as_bytes(), chunk);
            let expected = vec![Inbound::TooLong { limit: LIMITS.frame_bytes }, Inbound::Frame("{}".to_owned())];
            assert_eq!(decoded, (expected, None), "in chunks of {chunk}");
        }
    }
}

#[test]
fn what_is_too_long_is_passed_over() {
    let long = "x".repeat(200);
    let too_long = Inbound::TooLong { limit: LIMITS.frame_bytes };
    let after = Inbound::Frame("{}".to_owned());
    for chunk in [1, 7, 50, 1000] {
        let lines = format!("{{}}\n{{{long}\n{{}}\n");
        assert_eq!(decode(lines.as_bytes(), chunk), (vec![after.clone(), too_long.clone(), after.clone()], None));
        let headers = format!("Content-Length: 200\r\n\r\n{long}Content-Length: 2\r\n\r\n{{}}");
        assert_eq!(decode(headers.as_bytes(), chunk), (vec![too_long.clone(), after.clone()], None));
    }
}

#[test]
fn bytes_that_are_not_utf8_spoil_one_frame_only() {
    let (frames, fault) = decode(b"{\"a\":\"\xff\"}\n{}\n", 3);
    assert_eq!((frames, fault), (vec![Inbound::NotUtf8, Inbound::Frame("{}".to_owned())], None));
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(texts in prop::collection::vec("\\{[a-z0-9żółw ]{0,12}\\}", 1..6), chunk in 1usize..40) {
        for framing in [Framing::Lines, Framing::Headers] {
            let mut bytes = Vec::new();
            texts.iter().for_each(|text| framing.encode(text, &mut bytes));
            let expected: Vec<Inbound> = texts.iter().cloned().map(Inbound::Frame).collect();
            prop_assert_eq!(decode(&bytes, chunk), (expected, None));
        }
    }

    /// `decode` holds what is kept to the bound. Without a good start nearly every input is refused at its first byte.
    #[test]
    fn no_input_panics_or_grows_without_bound(
        start in "|\\{|[\r\n ]{90}\\{|Content-Length: |Content-Type: a|Content-Length: (2|60|300)\r\n\r\n",
        rest in prop::collection::vec(any::<u8>(), 0..400),
        chunk in 1usize..200,
    ) {
        let _ = decode(&[start.as_bytes(), &rest].concat(), chunk);
    }
}
