//! Against servers on other ports that answer as the real ones do: `tests/fixtures/local_servers`.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// A recorded server.
struct Server {
    port: u16,
    /// The heads of the requests.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(fixture: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/local_servers").join(fixture);
        let pages: Value = serde_json::from_slice(&fs::read(path).expect("a fixture")).expect("JSON");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let log = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, pages.clone(), Arc::clone(&log)));
            }
        });
        Self { port, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn serve(stream: TcpStream, pages: Value, log: Arc<Mutex<Vec<String>>>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let page = head.split(' ').nth(1).and_then(|path| pages.get(path));
    log.lock().unwrap().push(head);
    let mut answer = match page {
        Some(_) => "HTTP/1.1 200 OK\r\nconnection: close\r\n".to_owned(),
        None => "HTTP/1.1 404 Not Found\r\nconnection: close\r\n".to_owned(),
    };
    for (name, value) in page.and_then(|page| page["headers"].as_object()).into_iter().flatten() {
        answer.push_str(&format!("{name}: {}\r\n", value.as_str().unwrap()));
    }
    let body = page.map(|page| page["body"].as_str().map_or_else(|| page["body"].to_string(), str::to_owned));
    answer.push_str(&format!("\r\n{}", body.unwrap_or_default()));
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

/// The row of the program, for a server that listens elsewhere.
fn at(name: &str, port: u16) -> Row {
    let row = TABLE.iter().find(|row| row.name == name).expect("a row");
    Row { port, ..*row }
}

fn servers(rows: &[Row], config: &Config, taken: &[Url]) -> LocalServers {
    let patterns = config.allowed_hosts.as_ref();
    let policy = patterns.map(|hosts| HostPolicy::new(hosts.iter().map(|host| host.parse().unwrap()).collect()));
    LocalServers::among(rows, config, policy.as_ref(), taken)
}

async fn find(rows: &[Row]) -> Vec<LocalServer> {
    servers(rows, &Config::default(), &[]).find().await.to_vec()
}

#[tokio::test]
async fn each_is_known_by_its_own_signs() {
    let fixtures = [
        ("Ollama", "ollama.json", &["qwen3:8b", "nomic-embed-text:latest"][..]),
        ("LM Studio", "lm-studio.json", &["qwen2-vl-7b-instruct"]),
        ("vLLM", "vllm.json", &["facebook/opt-125m"]),
        ("llama.cpp", "llama-cpp.json", &["gemma-3-4b-it"]),
    ];
    for (name, fixture, models) in fixtures {
        let server = Server::start(fixture).await;
        let url = format!("http://127.0.0.1:{}/v1", server.port);
        let models = models.iter().map(ToString::to_string).collect();
        let found = find(&[at(name, server.port)]).await;
        assert_eq!(found[0].hint(), format!("set OPENAI_COMPATIBLE_URL={url}"));
        assert_eq!(found, [LocalServer { name, url, models, left_out: false }]);
        let asked = server.asked();
        assert!(asked.iter().all(|head| head.starts_with("GET ") && !head.contains("authorization")), "{asked:?}");
        for other in fixtures.iter().filter(|(other, ..)| *other != name) {
            let own = Server::start(other.1).await;
            assert_eq!(find(&[at(name, own.port)]).await, [], "it is {}", other.0);
        }
    }
}

#[tokio::test]
async fn what_is_no_model_server_is_not_offered() {
    for fixture in ["something-else.json", "another-model-server.json"] {
        let server = Server::start(fixture).await;
        let rows: Vec<Row> = TABLE.iter().map(|row| Row { port: server.port, ..*row }).collect();
        assert_eq!(find(&rows).await, [], "{fixture}");
    }
}

#[tokio::test]
async fn nobody_there_and_somebody_silent_are_nobody() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ollama = Server::start("ollama.json").await;
    let silent_port = silent.local_addr().unwrap().port();
    let rows = [at("vLLM", closed), at("llama.cpp", silent_port), at("Ollama", ollama.port)];
    let found: Vec<_> = find(&rows).await.iter().map(|server| server.name).collect();
    assert_eq!(found, ["Ollama"], "one that hangs takes no time from the others");
}

#[tokio::test]
async fn what_may_not_be_reached_or_is_in_use_is_not_asked() {
    let server = Server::start("ollama.json").await;
    let rows = [at("Ollama", server.port)];
    let hosts = |hosts: &[&str]| {
        let allowed_hosts = Some(hosts.iter().map(ToString::to_string).collect());
        Config { allowed_hosts, ..Config::default() }
    };
    let url = |host: &str| vec![Url::parse(&format!("http://{host}:{}/v1", server.port)).unwrap()];
    for (config, taken) in [
        (hosts(&["api.anthropic.com"]), vec![]),
        (hosts(&["127.0.0.1:9"]), vec![]),
        (Config::default(), url("localhost")),
        (Config::default(), url("127.0.0.1")),
        (Config::default(), url("[::1]")),
    ] {
        assert_eq!(servers(&rows, &config, &taken).find().await.len(), 0, "{taken:?}");
    }
    assert_eq!(server.asked().len(), 0);
    for (config, taken) in [(hosts(&["127.0.0.1"]), vec![]), (Config::default(), url("192.168.0.1"))] {
        assert_eq!(servers(&rows, &config, &taken).find().await.len(), 1, "{taken:?}");
    }
}

#[tokio::test]
async fn a_plugin_that_is_left_out_must_be_named_as_well() {
    let server = Server::start("ollama.json").await;
    let config = Config { enabled_plugins: Some(vec!["offline".to_owned()]), ..Config::default() };
    let found = servers(&[at("Ollama", server.port)], &config, &[]).find().await;
    let hint = found[0].hint();
    assert!(hint.ends_with("/v1, and add openai-compatible to ENABLED_PLUGINS"), "{hint}");
}

#[tokio::test]
async fn what_was_found_is_kept_for_a_moment() {
    let server = Server::start("ollama.json").await;
    let servers = servers(&[at("Ollama", server.port)], &Config::default(), &[]);
    let (first, second) = tokio::join!(servers.find(), servers.find());
    assert!(Arc::ptr_eq(&first, &second), "they share one search");
    let asked = server.asked().len();
    servers.find().await;
    assert_eq!(server.asked().len(), asked);
    tokio::time::pause();
    tokio::time::advance(KEEP).await;
    tokio::time::resume();
    assert_eq!(servers.find().await, first);
    assert!(server.asked().len() > asked);
}

#[test]
fn the_usual_ports() {
    let ports: Vec<_> = TABLE.iter().map(|row| (row.name, row.port)).collect();
    assert_eq!(ports, [("Ollama", 11434), ("LM Studio", 1234), ("vLLM", 8000), ("llama.cpp", 8080)]);
    let off = Config { http: config::Http { discover: false, ..config::Http::default() }, ..Config::default() };
    assert!(LocalServers::new(&off, None, &[]).places.is_empty());
    assert_eq!(LocalServers::new(&Config::default(), None, &[]).places.len(), TABLE.len());
}
