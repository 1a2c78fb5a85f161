//! What stands between two that talk over TCP, and can be cut and healed while both live on.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

#[derive(Clone)]
pub struct Proxy {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

struct State {
    manner: Manner,
    /// Both ends of what is connected, in pairs.
    open: Vec<TcpStream>,
    accepted: usize,
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
        let state = State { manner: Manner::Pass, open: Vec::new(), accepted: 0 };
        let proxy = Self { address, state: Arc::new(Mutex::new(state)) };
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
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let pair = (from.try_clone().expect("a socket"), to.try_clone().expect("a socket"));
                    std::thread::spawn(move || copy(pair));
                }
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic")
    }
}

/// Until one of them ends, which is the end of both.
fn copy((mut from, mut to): (TcpStream, TcpStream)) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    for stream in [&from, &to] {
        let _ = stream.shutdown(Shutdown::Both);
    }
}
