//! A model on loopback that has its answer ready: HTTP/1.1, kept alive, a thread for each connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::dialect::Dialect;

/// How the next answers are given.
#[derive(Clone)]
pub enum Manner {
    /// At once: one document, or all events of a stream in one write.
    AtOnce,
    /// So many chunks of text, as fast as they are taken.
    Burst(usize),
    /// So many chunks of text, each in a write of its own after a pause.
    Paced(usize, Duration),
    /// The beginning of a stream, and nothing more until the other side hangs up.
    Hold,
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
    /// Streams that are held, and when they were hung up on.
    held: (Sender<()>, Mutex<Receiver<()>>),
    closed: (Sender<Instant>, Mutex<Receiver<Instant>>),
}

impl Upstream {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
        let address = listener.local_addr().expect("a bound port");
        let manner = Mutex::new(Manner::AtOnce);
        let (held, is_held) = channel();
        let (closed, is_closed) = channel();
        let shared = Arc::new(Shared {
            manner,
            bodies: Mutex::default(),
            written: Mutex::default(),
            held: (held, Mutex::new(is_held)),
            closed: (closed, Mutex::new(is_closed)),
        });
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
        format!("{}/v1", self.origin())
    }

    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
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

    /// Until a stream is held.
    pub fn wait_held(&self) {
        self.shared.held.1.lock().expect("no panic").recv().expect("it is held");
    }

    /// Until it is hung up on; when that was.
    pub fn wait_closed(&self) -> Instant {
        self.shared.closed.1.lock().expect("no panic").recv().expect("it is closed")
    }

    fn hold(&self, connection: &mut TcpStream, dialect: &Dialect) -> std::io::Result<()> {
        connection.write_all(format!("{}{}", dialect.first(), dialect.text()).as_bytes())?;
        self.shared.held.0.send(()).expect("somebody waits");
        // Nothing more is sent on this connection: what ends is its end.
        let _ = connection.read(&mut [0]);
        self.shared.closed.0.send(Instant::now()).expect("somebody waits");
        Err(std::io::ErrorKind::UnexpectedEof.into())
    }

    fn serve(&self, mut connection: TcpStream) -> Option<()> {
        connection.set_nodelay(true).ok()?;
        let mut reader = BufReader::new(connection.try_clone().ok()?);
        loop {
            let Request { line, body } = request(&mut reader)?;
            if line.starts_with("HEAD ") {
                connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").ok()?;
                continue;
            }
            let dialect = Dialect::of_path(&line);
            let streamed = memchr::memmem::find(&body, b"\"stream\":true").is_some();
            self.shared.bodies.lock().expect("no panic").push(body);
            let manner = self.shared.manner.lock().expect("no panic").clone();
            match manner {
                Manner::AtOnce if streamed => connection.write_all(dialect.stream(1).as_bytes()),
                Manner::AtOnce => connection.write_all(dialect.document().as_bytes()),
                Manner::Burst(chunks) => connection.write_all(dialect.stream(chunks).as_bytes()),
                Manner::Hold => self.hold(&mut connection, dialect),
                Manner::Paced(chunks, pause) => self.paced(&mut connection, dialect, chunks, pause),
            }
            .ok()?;
        }
    }

    fn paced(
        &self,
        connection: &mut TcpStream,
        dialect: &Dialect,
        chunks: usize,
        pause: Duration,
    ) -> std::io::Result<()> {
        connection.write_all(dialect.first().as_bytes())?;
        for _ in 0..chunks {
            std::thread::sleep(pause);
            let event = dialect.text();
            self.shared.written.lock().expect("no panic").push(Instant::now());
            connection.write_all(event.as_bytes())?;
        }
        connection.write_all(dialect.last().as_bytes())
    }
}

struct Request {
    line: String,
    body: Vec<u8>,
}

/// None at the end of input.
fn request(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut length = 0;
    let mut line = String::new();
    if reader.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let mut header = String::new();
    loop {
        header.clear();
        if reader.read_line(&mut header).ok()? == 0 {
            return None;
        }
        let header = header.trim_end();
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
    Some(Request { line, body })
}
