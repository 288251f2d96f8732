//! What handlers get, and what they may return.

use serde_json::json;
use testkit::Server;

use crate::handlers::{error, output};

#[tokio::test]
async fn the_event_is_any_json_value_exactly_as_it_came() {
    let user = Server::shared().user().await;
    let python = user.function("PYTHON", "def handler(event):\n    return event").await;
    let node = user.function("NODEJS", "exports.handler = (event) => event").await;
    for event in [
        json!(null),
        json!(0),
        json!(-1.5),
        json!(""),
        json!("ünïcödé \u{1F600} \u{0}"),
        json!([]),
        json!([1, [2]]),
        json!({"a": {"b": [true, false, null]}}),
        json!("x".repeat(100_000)),
    ] {
        for function in [&python, &node] {
            assert_eq!(user.invoke(function, &event).await["output"], event);
        }
    }
    // Integers beyond 2^53 stay exact where the language has them.
    let big = user.request(reqwest::Method::POST, &format!("/functions/{python}/invoke"));
    let big = user.send(big.body("123456789012345678901234567890")).await;
    assert!(String::from_utf8_lossy(&big.body).contains("\"output\":123456789012345678901234567890"));
    // No body is an empty object.
    let empty = user
        .send(user.request(reqwest::Method::POST, &format!("/functions/{node}/invoke")))
        .await
        .expect(200);
    assert_eq!(empty["output"], json!({}));
}

#[tokio::test]
async fn what_json_cannot_carry_fails_the_run() {
    for (runtime, code, says) in [
        ("PYTHON", "def handler(event):\n    return float('nan')", "nan"),
        ("PYTHON", "def handler(event):\n    return {1, 2}", "set"),
        ("PYTHON", "def handler(event):\n    a = []\n    a.append(a)\n    return a", "ircular"),
        ("PYTHON", "def handler(event):\n    return b'bytes'", "bytes"),
        ("PYTHON", "def handler(event):\n    return 'x' * 50_000_000", "6"),
        ("NODEJS", "exports.handler = () => { const a = {}; a.a = a; return a }", "ircular"),
        ("NODEJS", "exports.handler = () => 10n", "BigInt"),
        ("NODEJS", "exports.handler = () => NaN", "NaN"),
        ("NODEJS", "exports.handler = () => ({deep: [1, Infinity]})", "Infinity"),
        ("NODEJS", "exports.handler = () => 'x'.repeat(50_000_000)", "6"),
        ("NODEJS", "exports.handler = () => ({deep: [new URLSearchParams('a=1')]})", "result.deep[0]"),
        ("NODEJS", "exports.handler = () => Object.assign(new Error('x'), {code: 1})", "an Error"),
        ("NODEJS", "exports.handler = async function* () { yield 1 }", "AsyncGenerator"),
        ("PYTHON", "def handler(event):\n    yield 1", "a generator"),
        (
            "PYTHON",
            "import dataclasses\n@dataclasses.dataclass\nclass D:\n    a: int = 1\ndef handler(event):\n    return {'d': D()}",
            "asdict",
        ),
    ] {
        let text = error(runtime, code).await;
        assert!(text.contains(says), "{code}: {text}");
    }
    assert_eq!(output("NODEJS", "exports.handler = () => undefined", json!({})).await, json!(null));
    assert_eq!(output("NODEJS", "exports.handler = () => ({toJSON() {}})", json!({})).await, json!(null));
    assert_eq!(output("PYTHON", "def handler(event):\n    pass", json!({})).await, json!(null));
}

#[tokio::test]
async fn a_web_response_is_that_response() {
    let user = Server::shared().user().await;
    let workspace = user.workspace().await;
    let code = "exports.handler = async (event) => event.rawPath.endsWith('text') ? \
        Response.json({a: 'é'}, {status: 201, headers: [['set-cookie', 'a=1'], ['set-cookie', 'b=2'], ['x-a', '1']]}) : \
        new Response(new Uint8Array([255, 0]), {headers: {'content-type': 'image/png'}})";
    for name in ["text", "bytes"] {
        let fields =
            json!({"runtime": "NODEJS", "code": code, "endpoint": format!("/{name}"), "public": true});
        user.function_with(&workspace, fields).await;
    }
    let anyone = user.without_token();
    let text = anyone.get(&format!("/run/{workspace}/text")).await;
    assert_eq!((text.status, text.header("content-type")), (201, Some("application/json")));
    assert_eq!((text.header("x-a"), &text.body[..]), (Some("1"), "{\"a\":\"é\"}".as_bytes()));
    let cookies: Vec<_> = text.headers.get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
    let bytes = anyone.get(&format!("/run/{workspace}/bytes")).await;
    assert_eq!(
        (bytes.status, bytes.header("content-type"), &bytes.body[..]),
        (200, Some("image/png"), &[255, 0][..])
    );
}

#[tokio::test]
async fn a_large_result_comes_back_whole() {
    for (runtime, code) in [
        ("PYTHON", "def handler(event):\n    return 'é' * 2_900_000"),
        ("NODEJS", "exports.handler = () => 'é'.repeat(2_900_000)"),
    ] {
        let user = Server::shared().user().await;
        let function = user.function(runtime, code).await;
        let ran = user.invoke(&function, &json!({})).await;
        assert_eq!(ran["output"].as_str().map(str::len), Some(5_800_000), "{}", ran["error"]);
        let job = user.get(&format!("/jobs/{}", ran["job_id"])).await.expect(200);
        assert_eq!(job["output"], ran["output"]);
        // A list names it instead.
        let listed = user.get(&format!("/functions/{function}/jobs")).await.expect(200);
        assert_eq!(
            (&listed["jobs"][0]["output"], &listed["jobs"][0]["omitted"]),
            (&json!(null), &json!(["output"]))
        );
    }
}
