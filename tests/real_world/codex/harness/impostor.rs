//! Something that greets like an app-server and then says more than anybody can hear.

use std::net::{SocketAddr, TcpListener, TcpStream};

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Message, WebSocket, accept};

pub struct Impostor {
    address: SocketAddr,
}

impl Impostor {
    /// So many notifications at once for everyone who asks for a `flood`; everything else it answers.
    pub fn flooding(count: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
        let address = listener.local_addr().expect("a bound port");
        std::thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                // Ends when the other side has had enough.
                std::thread::spawn(move || serve(connection, count));
            }
        });
        Self { address }
    }

    pub fn url(&self) -> String {
        format!("ws://{}", self.address)
    }
}

fn serve(connection: TcpStream, count: usize) -> Option<()> {
    connection.set_nodelay(true).ok()?;
    let mut socket = accept(connection).ok()?;
    loop {
        let Message::Text(text) = socket.read().ok()? else { continue };
        let frame: Value = serde_json::from_str(&text).expect("JSON");
        let result = match frame["method"].as_str() {
            Some("initialize") => json!({"userAgent": "flood/0.169.0", "codexHome": "/nowhere", "platformOs": "linux"}),
            Some("initialized") => continue,
            Some("flood") => {
                flood(&mut socket, count)?;
                json!({})
            }
            _ => json!({"data": []}),
        };
        socket.send(Message::text(json!({"id": frame["id"], "result": result}).to_string())).ok()?;
    }
}

fn flood(socket: &mut WebSocket<TcpStream>, count: usize) -> Option<()> {
    for number in 0..count {
        let params = json!({"threadId": "elsewhere", "number": number, "delta": "x".repeat(1000)});
        let frame = json!({"method": "item/agentMessage/delta", "params": params, "emittedAtMs": 0});
        socket.write(Message::text(frame.to_string())).ok()?;
    }
    socket.flush().ok()
}
