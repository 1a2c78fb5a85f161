//! No secret leaves for where it does not belong, and none is quoted.

use serde_json::json;

use super::{API_TOKEN, AUTH_TOKEN, asking, gateway};
use crate::model::Provider;
use crate::providers::loopback::{Answer, Loopback};

const KEY: &str = "sk-of-the-caller";

#[tokio::test]
async fn a_redirect_to_another_origin_carries_none() {
    let refusal = Answer::json(400, "", "{}");
    let elsewhere = Loopback::start(vec![refusal]).await;
    let moved = Answer::whole(307, &format!("location: {}\r\n", elsewhere.url), "");
    let server = Loopback::start(vec![moved]).await;
    for options in [json!({}), json!({ "providerApiKey": KEY })] {
        // Both are allowed hosts here.
        let settings = gateway(&server, &elsewhere, |settings| settings.base_url = server.url.clone());
        assert!(settings.stream(asking("openai/m", options)).await.is_err());
    }
    let (asked, came) = (server.asked().join("\n"), elsewhere.asked().join("\n"));
    assert!(asked.contains(API_TOKEN) && asked.contains(AUTH_TOKEN) && asked.contains(KEY));
    assert_eq!(elsewhere.asked().len(), 2);
    assert!(!came.contains("secret") && !came.contains(KEY), "{came}");
}

#[tokio::test]
async fn a_key_that_came_with_the_call_is_not_quoted() {
    let echo = |text: &str| format!(r#"{{"error":{{"message":"Incorrect API key provided: {text}"}}}}"#);
    let broken = format!(r#"{{"success":false,"errors":[{{"code":9999,"message":"bad {KEY}"}}]}}"#);
    let stream = format!("data: {{\"choices\":[]}}\n\ndata: {{\"error\":{{\"message\":\"bad {KEY}\"}}}}\n\n");
    let answers = [
        Answer::json(401, "", &echo(KEY)),
        Answer::json(200, "", &broken),
        Answer::json(200, "", &format!("\"{KEY}\"")),
        Answer::events(&stream),
    ];
    for answer in answers {
        let server = Loopback::start(vec![answer]).await;
        let request = asking("openai/m", json!({ "providerApiKey": format!(" {KEY} ") }));
        let error = gateway(&server, &server, |_| ()).stream(request).await.err().expect("an error");
        assert!(error.message.contains("***") && !format!("{error:?}").contains(KEY), "{error:?}");
    }
}
