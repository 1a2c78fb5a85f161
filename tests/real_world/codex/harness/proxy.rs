//! What stands between two that talk over TCP, and can be cut and healed while both live on.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone)]
pub struct Proxy {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    let_go: Arc<Condvar>,
}

struct State {
    manner: Manner,
    /// Both ends of what is connected, in pairs.
    open: Vec<TcpStream>,
    accepted: usize,
    /// What comes back is held from where this is said, until it is let go.
    held_at: Option<&'static str>,
}

/// What becomes of connections.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    Pass,
    /// They end at once.
    Refuse,
    /// They are taken, and nothing is ever said.
    Swallow,
}

impl Proxy {
    pub fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
        let address = listener.local_addr().expect("a bound port");
        let state = State { manner: Manner::Pass, open: Vec::new(), accepted: 0, held_at: None };
        let proxy = Self { address, state: Arc::new(Mutex::new(state)), let_go: Arc::default() };
        let server = proxy.clone();
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                server.accept(near, target);
            }
        });
        proxy
    }

    pub fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// How many connections there were so far.
    pub fn accepted(&self) -> usize {
        self.state().accepted
    }

    /// Ends what is connected; what comes next ends at once.
    pub fn cut(&self) {
        self.turn_to(Manner::Refuse);
    }

    /// Ends what is connected; what comes next is taken and never answered.
    pub fn swallow(&self) {
        self.turn_to(Manner::Swallow);
    }

    /// What comes next is let through.
    pub fn heal(&self) {
        self.turn_to(Manner::Pass);
    }

    /// Holds all that comes back once these words do.
    pub fn hold_at(&self, words: &'static str) {
        self.state().held_at = Some(words);
    }

    pub fn let_go(&self) {
        self.state().held_at = None;
        self.let_go.notify_all();
    }

    fn wait(&self, bytes: &[u8]) {
        let says = |words: &str| bytes.windows(words.len()).any(|window| window == words.as_bytes());
        let is_held = |state: &mut State| state.held_at.is_some_and(says);
        let state = self.let_go.wait_timeout_while(self.state(), PATIENCE, is_held);
        assert!(!state.expect("no panic").1.timed_out(), "it is never let go");
    }

    fn turn_to(&self, manner: Manner) {
        let mut state = self.state();
        state.manner = manner;
        for stream in state.open.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn accept(&self, near: TcpStream, target: SocketAddr) {
        let mut state = self.state();
        state.accepted += 1;
        match state.manner {
            Manner::Refuse => {}
            Manner::Swallow => state.open.push(near),
            Manner::Pass => {
                let Ok(far) = TcpStream::connect(target) else { return };
                for stream in [&near, &far] {
                    stream.set_nodelay(true).expect("a socket");
                    state.open.push(stream.try_clone().expect("a socket"));
                }
                for (from, to, comes_back) in [(&near, &far, false), (&far, &near, true)] {
                    let pair = (from.try_clone().expect("a socket"), to.try_clone().expect("a socket"));
                    let proxy = self.clone();
                    std::thread::spawn(move || {
                        copy(pair, |bytes| {
                            if comes_back {
                                proxy.wait(bytes);
                            }
                        });
                    });
                }
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic")
    }
}

/// Until one of them ends, which is the end of both.
fn copy((mut from, mut to): (TcpStream, TcpStream), wait: impl Fn(&[u8])) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        wait(&bytes[..count]);
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    for stream in [&from, &to] {
        let _ = stream.shutdown(Shutdown::Both);
    }
}
