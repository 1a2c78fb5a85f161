//! What the tests' own servers have in common: they read a request, and say one thing.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Where it listens, with the address that requests begin with.
pub async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let origin = format!("http://{}", listener.local_addr().expect("an address"));
    (listener, origin)
}

/// Deals with each connection beside the others; the address.
pub async fn serve<Conversation>(converse: impl Fn(TcpStream) -> Conversation + Send + 'static) -> String
where
    Conversation: Future<Output = io::Result<()>> + Send + 'static,
{
    let (listener, origin) = listen().await;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A client that hangs up first is no fault of the server.
            tokio::spawn(converse(stream));
        }
    });
    origin
}

/// Answers each request with what `answer` makes of it, and hangs up; the address.
pub async fn answer(answer: impl Fn(&str) -> String + Clone + Send + Sync + 'static) -> String {
    serve(move |mut stream| {
        let answer = answer.clone();
        async move {
            match read_request(&mut stream).await? {
                Some(request) => respond(stream, &answer(&request)).await,
                None => Ok(()),
            }
        }
    })
    .await
}

/// None if the client hangs up before it has said everything.
pub async fn read_request(stream: &mut TcpStream) -> io::Result<Option<String>> {
    let mut request = Vec::new();
    while !is_whole(&request) {
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(None);
        }
    }
    Ok(Some(String::from_utf8_lossy(&request).into_owned()))
}

/// The last that is said in this connection.
pub async fn respond(mut stream: TcpStream, answer: &str) -> io::Result<()> {
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await?;
    until_left(stream).await
}

/// Reads on to the end, or what was written may be lost.
pub async fn until_left(mut stream: TcpStream) -> io::Result<()> {
    while stream.read(&mut [0; 4096]).await? > 0 {}
    Ok(())
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    body.len() >= length.unwrap_or_default()
}

pub fn whole(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}")
}

pub fn stream(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/event-stream\r\n\r\n{body}")
}
