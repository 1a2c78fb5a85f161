//! A model on loopback that has its answer ready: HTTP/1.1, kept alive, a thread for each connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How the next answers are given.
#[derive(Clone)]
pub enum Manner {
    /// At once: one document, or all events of a stream in one write.
    AtOnce,
    /// So many chunks of text, as fast as they are taken.
    Burst(usize),
    /// So many chunks of text, each in a write of its own after a pause.
    Paced(usize, Duration),
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Upstream {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    manner: Mutex<Manner>,
    bodies: Mutex<Vec<Vec<u8>>>,
    written: Mutex<Vec<Instant>>,
}

const STREAM_HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n\
    transfer-encoding: chunked\r\ncache-control: no-cache\r\n\r\n";

impl Upstream {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
        let address = listener.local_addr().expect("a bound port");
        let manner = Mutex::new(Manner::AtOnce);
        let shared = Arc::new(Shared { manner, bodies: Mutex::default(), written: Mutex::default() });
        let upstream = Self { address, shared };
        let server = upstream.clone();
        std::thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let server = server.clone();
                // Ends when the other side has had enough.
                std::thread::spawn(move || server.serve(connection));
            }
        });
        upstream
    }

    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    pub fn answer(&self, manner: Manner) {
        *self.shared.manner.lock().expect("no panic") = manner;
    }

    /// The requests since this was last asked.
    pub fn take_bodies(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut *self.shared.bodies.lock().expect("no panic"))
    }

    /// When each paced chunk since this was last asked was about to be written.
    pub fn take_written(&self) -> Vec<Instant> {
        std::mem::take(&mut *self.shared.written.lock().expect("no panic"))
    }

    fn serve(&self, mut connection: TcpStream) -> Option<()> {
        connection.set_nodelay(true).ok()?;
        let mut reader = BufReader::new(connection.try_clone().ok()?);
        loop {
            let (probe, body) = next_request(&mut reader)?;
            if probe {
                connection.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").ok()?;
                continue;
            }
            let streamed = memchr::memmem::find(&body, b"\"stream\":true").is_some();
            self.shared.bodies.lock().expect("no panic").push(body);
            let manner = self.shared.manner.lock().expect("no panic").clone();
            match manner {
                Manner::AtOnce if streamed => connection.write_all(whole_stream(&[" Warsaw"]).as_bytes()),
                Manner::AtOnce => connection.write_all(document().as_bytes()),
                Manner::Burst(chunks) => connection.write_all(whole_stream(&vec![" token"; chunks]).as_bytes()),
                Manner::Paced(chunks, pause) => self.paced(&mut connection, chunks, pause),
            }
            .ok()?;
        }
    }

    fn paced(&self, connection: &mut TcpStream, chunks: usize, pause: Duration) -> std::io::Result<()> {
        connection.write_all(format!("{STREAM_HEAD}{}", first_event()).as_bytes())?;
        for _ in 0..chunks {
            std::thread::sleep(pause);
            let event = text_event(" token");
            self.shared.written.lock().expect("no panic").push(Instant::now());
            connection.write_all(event.as_bytes())?;
        }
        connection.write_all(last_events().as_bytes())
    }
}

/// Whether it only knocks, and its body. None at the end of input.
fn next_request(reader: &mut BufReader<TcpStream>) -> Option<(bool, Vec<u8>)> {
    let mut length = 0;
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let probe = line.starts_with("HEAD ");
    loop {
        line.clear();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let header = line.trim_end();
        if header.is_empty() {
            break;
        }
        if let Some((name, value)) =
            header.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        {
            length = value.trim().parse().unwrap_or_else(|_| panic!("{name}: {value}"));
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((probe, body))
}

fn document() -> String {
    let body = r#"{"id":"chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG","object":"chat.completion","created":1741570283,"model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,"message":{"role":"assistant","content":"The capital of Poland is Warsaw.","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":1117,"completion_tokens":8,"total_tokens":1125,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},"service_tier":"default","system_fingerprint":"fp_06737a9306"}"#;
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn whole_stream(texts: &[&str]) -> String {
    let texts: String = texts.iter().map(|text| text_event(text)).collect();
    format!("{STREAM_HEAD}{}{texts}{}", first_event(), last_events())
}

fn first_event() -> String {
    choice_event(
        r#"{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}"#,
    )
}

fn text_event(text: &str) -> String {
    choice_event(&format!(r#"{{"index":0,"delta":{{"content":"{text}"}},"logprobs":null,"finish_reason":null}}"#))
}

/// The end of the body among them.
fn last_events() -> String {
    let stop = choice_event(r#"{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}"#);
    format!("{stop}{}0\r\n\r\n", http_chunk("data: [DONE]\n\n"))
}

fn choice_event(choice: &str) -> String {
    http_chunk(&format!(
        "data: {{\"id\":\"chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG\",\"object\":\"chat.completion.chunk\",\
         \"created\":1741570283,\"model\":\"gpt-4o-mini-2024-07-18\",\"service_tier\":\"default\",\
         \"system_fingerprint\":\"fp_06737a9306\",\"choices\":[{choice}],\"usage\":null}}\n\n"
    ))
}

fn http_chunk(data: &str) -> String {
    format!("{:x}\r\n{data}\r\n", data.len())
}
