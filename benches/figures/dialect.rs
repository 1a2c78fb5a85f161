//! The wire formats, one row each: where they are spoken, which skill speaks them, and the same answer in all of them.

/// One wire format.
pub struct Dialect {
    pub name: &'static str,
    pub skill: &'static str,
    /// Where it is asked.
    pub path: &'static str,
    /// What has to be set for the plugin; `{}` stands for the upstream's origin.
    pub settings: &'static [(&'static str, &'static str)],
    pub model: &'static str,
    document: &'static str,
    first: &'static [&'static str],
    text: &'static str,
    last: &'static [&'static str],
}

pub const DIALECTS: [Dialect; 2] = [CHAT, ANTHROPIC];

pub const CHAT: Dialect = Dialect {
    name: "chat completions",
    skill: "openai-compat-chat",
    path: "/v1/chat/completions",
    settings: &[("OPENAI_COMPATIBLE_URL", "{}/v1")],
    model: "gpt-4o-mini",
    document: r#"{"id":"chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG","object":"chat.completion","created":1741570283,"model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,"message":{"role":"assistant","content":"The capital of Poland is Warsaw.","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":1117,"completion_tokens":8,"total_tokens":1125,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},"service_tier":"default","system_fingerprint":"fp_06737a9306"}"#,
    first: &[
        r#"{"id":"chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG","object":"chat.completion.chunk","created":1741570283,"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_06737a9306","choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}],"usage":null}"#,
    ],
    text: r#"{"id":"chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG","object":"chat.completion.chunk","created":1741570283,"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_06737a9306","choices":[{"index":0,"delta":{"content":" token"},"logprobs":null,"finish_reason":null}],"usage":null}"#,
    last: &[
        r#"{"id":"chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG","object":"chat.completion.chunk","created":1741570283,"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_06737a9306","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],"usage":null}"#,
        "[DONE]",
    ],
};

const ANTHROPIC: Dialect = Dialect {
    name: "messages",
    skill: "anthropic-chat",
    path: "/v1/messages",
    settings: &[("ANTHROPIC_BASE_URL", "{}"), ("ANTHROPIC_API_KEY", "a-key")],
    model: "claude-haiku-4-5",
    document: r#"{"id":"msg_013Zva2CMHLNnXjNJJKqJ2EF","type":"message","role":"assistant","model":"claude-haiku-4-5-20251001","content":[{"type":"text","text":"The capital of Poland is Warsaw."}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":1117,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":8,"service_tier":"standard"}}"#,
    first: &[
        r#"{"type":"message_start","message":{"id":"msg_013Zva2CMHLNnXjNJJKqJ2EF","type":"message","role":"assistant","model":"claude-haiku-4-5-20251001","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":1117,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":1,"service_tier":"standard"}}}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
    ],
    text: r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" token"}}"#,
    last: &[
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":8}}"#,
        r#"{"type":"message_stop"}"#,
    ],
};

const STREAM_HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n\
    transfer-encoding: chunked\r\ncache-control: no-cache\r\n\r\n";

impl Dialect {
    /// By the first line of a request.
    pub fn of_path(line: &str) -> &'static Self {
        DIALECTS.iter().find(|dialect| line.contains(dialect.path)).unwrap_or_else(|| panic!("{line}"))
    }

    pub fn document(&self) -> String {
        let body = self.document;
        format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    }

    /// The whole of a stream.
    pub fn stream(&self, chunks: usize) -> String {
        format!("{}{}{}", self.first(), self.text().repeat(chunks), self.last())
    }

    /// The head of a stream, and what comes before its text.
    pub fn first(&self) -> String {
        format!("{STREAM_HEAD}{}", events(self.first))
    }

    pub fn text(&self) -> String {
        event(self.text)
    }

    /// What comes after the text, the end of the body among it.
    pub fn last(&self) -> String {
        format!("{}0\r\n\r\n", events(self.last))
    }
}

fn events(events: &[&str]) -> String {
    events.iter().map(|data| event(data)).collect()
}

/// In an HTTP chunk of its own, with the name beside it that some dialects give.
fn event(data: &str) -> String {
    let name = data.strip_prefix(r#"{"type":""#).and_then(|rest| rest.split('"').next());
    let name = name.map(|name| format!("event: {name}\n")).unwrap_or_default();
    let event = format!("{name}data: {data}\n\n");
    format!("{:x}\r\n{event}\r\n", event.len())
}
