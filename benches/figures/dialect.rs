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

pub const DIALECTS: [Dialect; 5] = [CHAT, ANTHROPIC, RESPONSES, WORKERS_AI, GATEWAY];

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

const RESPONSES: Dialect = Dialect {
    name: "responses",
    skill: "codex-chat",
    path: "/v1/responses",
    settings: &[("OPENAI_BASE_URL", "{}/v1"), ("OPENAI_API_KEY", "a-key")],
    model: "gpt-5-mini",
    document: r#"{"id":"resp_67ccd2bed1ec8190b14f964abc054267","object":"response","created_at":1741476542,"status":"completed","error":null,"incomplete_details":null,"instructions":null,"model":"gpt-5-mini-2025-08-07","output":[{"type":"message","id":"msg_67ccd2bf17f0819081ff3bb2cf6508e6","status":"completed","role":"assistant","content":[{"type":"output_text","text":"The capital of Poland is Warsaw.","annotations":[]}]}],"parallel_tool_calls":true,"store":false,"temperature":1.0,"usage":{"input_tokens":1117,"input_tokens_details":{"cached_tokens":0},"output_tokens":8,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":1125}}"#,
    first: &[
        r#"{"type":"response.created","sequence_number":0,"response":{"id":"resp_67ccd2bed1ec8190b14f964abc054267","object":"response","status":"in_progress","model":"gpt-5-mini-2025-08-07","output":[]}}"#,
        r#"{"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{"id":"msg_67ccd2bf17f0819081ff3bb2cf6508e6","type":"message","status":"in_progress","role":"assistant","content":[]}}"#,
        r#"{"type":"response.content_part.added","sequence_number":2,"item_id":"msg_67ccd2bf17f0819081ff3bb2cf6508e6","output_index":0,"content_index":0,"part":{"type":"output_text","text":"","annotations":[]}}"#,
    ],
    text: r#"{"type":"response.output_text.delta","sequence_number":3,"item_id":"msg_67ccd2bf17f0819081ff3bb2cf6508e6","output_index":0,"content_index":0,"delta":" token","logprobs":[],"obfuscation":"kS4f0Vd9Qz"}"#,
    last: &[
        r#"{"type":"response.completed","sequence_number":9,"response":{"id":"resp_67ccd2bed1ec8190b14f964abc054267","object":"response","status":"completed","model":"gpt-5-mini-2025-08-07","output":[],"usage":{"input_tokens":1117,"output_tokens":8,"total_tokens":1125}}}"#,
    ],
};

const WORKERS_AI: Dialect = Dialect {
    name: "workers-ai",
    skill: "ai-chat",
    path: "/client/v4/accounts/acc/ai/run/@cf/author/model",
    settings: &[
        ("CLOUDFLARE_API_BASE_URL", "{}/client/v4"),
        ("CLOUDFLARE_ACCOUNT_ID", "acc"),
        ("CLOUDFLARE_API_TOKEN", "a-token"),
    ],
    model: "@cf/author/model",
    document: r#"{"result":{"response":"The capital of Poland is Warsaw.","tool_calls":[],"usage":{"prompt_tokens":1117,"completion_tokens":8,"total_tokens":1125}},"success":true,"errors":[],"messages":[]}"#,
    first: &[],
    text: r#"{"response":" token","p":"abdefghijklmnopqrstuvwxyz0"}"#,
    last: &[r#"{"response":"","usage":{"prompt_tokens":1117,"completion_tokens":8,"total_tokens":1125}}"#, "[DONE]"],
};

const GATEWAY: Dialect = Dialect {
    name: "gateway, run path",
    skill: "cf-gateway-chat",
    path: "/client/v4/accounts/acc/ai/v1/chat/completions",
    settings: &[
        ("AI_GATEWAY_ID", "gateway"),
        ("CLOUDFLARE_API_BASE_URL", "{}/client/v4"),
        ("CLOUDFLARE_ACCOUNT_ID", "acc"),
        ("CLOUDFLARE_API_TOKEN", "a-token"),
    ],
    model: "openai/gpt-4o-mini",
    document: CHAT.document,
    first: CHAT.first,
    text: CHAT.text,
    last: CHAT.last,
};

const STREAM_HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n\
    transfer-encoding: chunked\r\ncache-control: no-cache\r\n\r\n";

impl Dialect {
    /// By the first line of a request.
    pub fn of_path(line: &str) -> &'static Self {
        DIALECTS
            .iter()
            .find(|dialect| line.contains(&format!(" {} ", dialect.path)))
            .unwrap_or_else(|| panic!("{line}"))
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
