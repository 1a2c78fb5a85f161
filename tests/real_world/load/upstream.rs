//! A model on loopback whose answers begin at once and go on when they are let.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

const HEAD: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/event-stream\r\n\r\n";
const LAST: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

pub struct Upstream {
    pub url: String,
    go_on: CancellationToken,
}

impl Upstream {
    /// Each answer has so many pieces of text, each of so many bytes.
    pub async fn start(pieces: usize, bytes: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/v1", listener.local_addr().expect("an address"));
        let go_on = CancellationToken::new();
        let (let_go, text) = (go_on.clone(), "word ".repeat(bytes / 5));
        let piece: Arc<str> =
            format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n").into();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // One that hangs up first has had enough.
                tokio::spawn(answer(stream, Arc::clone(&piece), pieces, let_go.clone()));
            }
        });
        Self { url, go_on }
    }

    pub fn go_on(&self) {
        self.go_on.cancel();
    }
}

async fn answer(
    mut stream: TcpStream,
    piece: Arc<str>,
    pieces: usize,
    go_on: CancellationToken,
) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !is_whole(&request) {
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    stream.write_all(HEAD.as_bytes()).await?;
    stream.write_all(piece.as_bytes()).await?;
    go_on.cancelled().await;
    for _ in 1..pieces {
        stream.write_all(piece.as_bytes()).await?;
        // The others are to have their turns in between.
        tokio::task::yield_now().await;
    }
    stream.write_all(LAST.as_bytes()).await?;
    stream.shutdown().await
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    body.len() >= length.unwrap_or_default()
}
