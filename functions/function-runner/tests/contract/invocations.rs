//! Invoking: SYNC, ASYNC, many at once, and what is in the way.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::{ECHO_JS, ECHO_PY, Server};
use tokio::task::JoinSet;

#[tokio::test]
async fn a_sync_run_answers_with_its_result_and_is_a_job() {
    let user = Server::shared().user().await;
    for (runtime, code, from) in [("PYTHON", ECHO_PY, "python"), ("NODEJS", ECHO_JS, "node")] {
        let function = user.function(runtime, code).await;
        let ran = user.invoke(&function, &json!({"a": [1]})).await;
        assert_eq!(ran["output"], json!({"event": {"a": [1]}, "from": from}));
        assert_eq!(
            (&ran["status"], &ran["error"], &ran["version"]),
            (&json!("success"), &json!(null), &json!(1))
        );
        assert_eq!((&ran["logs"], &ran["cold_start"]), (&json!("hello\n"), &json!(true)));
        assert!(ran["duration"].as_f64().is_some_and(|ms| ms >= 0.0), "{ran}");
        let fields: std::collections::BTreeSet<_> =
            ran.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(
            fields,
            ["cold_start", "duration", "error", "job_id", "logs", "output", "status", "version"].into()
        );

        let job = user.get(&format!("/jobs/{}", ran["job_id"])).await.expect(200);
        assert_eq!((&job["input"], &job["output"]), (&json!({"a": [1]}), &ran["output"]));
        assert_eq!((&job["function_id"], &job["attempts"]), (&json!(function), &json!(1)));
        assert_eq!(user.invoke(&function, &json!({})).await["cold_start"], false);
    }
}

#[tokio::test]
async fn an_async_run_is_accepted_queued_and_done() {
    let user = Server::shared().user().await;
    let workspace = user.workspace().await;
    for (runtime, code) in [("PYTHON", ECHO_PY), ("NODEJS", ECHO_JS)] {
        let fields = json!({"runtime": runtime, "code": code, "execution_type": "ASYNC"});
        let function = user.function_with(&workspace, fields).await;
        let accepted = user.post(&format!("/functions/{function}/invoke"), &json!({"n": 1})).await;
        let body = accepted.expect(202);
        assert_eq!(accepted.header("location"), Some(format!("/jobs/{}", body["job_id"]).as_str()));
        assert_eq!((&body["status"], &body["output"]), (&json!("pending"), &json!(null)));
        let job = user.finished(&body["job_id"]).await;
        assert_eq!((&job["status"], &job["output"]["event"]), (&json!("success"), &json!({"n": 1})), "{job}");
        assert_eq!((&job["logs"], &job["attempts"]), (&json!("hello\n"), &json!(1)));
        for time in ["created_at", "started_at", "completed_at"] {
            assert!(job[time].is_string(), "{job}");
        }
    }
}

#[tokio::test]
async fn an_async_run_that_fails_is_tried_as_often_as_its_function_says() {
    let user = Server::shared().user().await;
    let workspace = user.workspace().await;
    let code = "def handler(event, context):\n    print('attempt', context.attempt)\n    \
                if context.attempt < event['good']: raise ValueError('not yet')\n    return context.attempt";
    let fields = json!({"runtime": "PYTHON", "code": code, "execution_type": "ASYNC", "max_attempts": 2});
    let function = user.function_with(&workspace, fields).await;
    for (good, status, attempts) in [(1, "success", 1), (2, "success", 2), (3, "error", 2)] {
        let accepted =
            user.post(&format!("/functions/{function}/invoke"), &json!({"good": good})).await.expect(202);
        let job = user.finished(&accepted["job_id"]).await;
        assert_eq!((&job["status"], &job["attempts"]), (&json!(status), &json!(attempts)), "{job}");
    }
}

#[tokio::test]
async fn a_hundred_at_once_of_a_slow_function_all_finish() {
    let user = Server::shared().user().await;
    let code = "import time\ndef handler(event):\n    time.sleep(0.1)\n    return event";
    let function = user.function("PYTHON", code).await;
    let mut runs = JoinSet::new();
    for n in 0..100 {
        let (user, function) = (user.clone(), function.clone());
        runs.spawn(async move { (n, user.invoke(&function, &json!(n)).await) });
    }
    for (n, ran) in runs.join_all().await {
        assert_eq!((&ran["status"], &ran["output"]), (&json!("success"), &json!(n)), "{ran}");
    }
    let listed = user.get(&format!("/functions/{function}/jobs?limit=1")).await.expect(200);
    assert_eq!(listed["total"], 100);
}

#[tokio::test]
async fn what_is_no_json_is_refused_and_large_input_is_not() {
    let user = Server::shared().user().await;
    let function = user.function("PYTHON", "def handler(event):\n    return len(event)").await;
    let path = format!("/functions/{function}/invoke");
    let send = async |body: Vec<u8>| user.send(user.request(Method::POST, &path).body(body)).await;
    for bad in [&b"{"[..], b"nonsense", b"\"\xff\"", b"{} {}", b"[1,]", b"NaN", b"\xef\xbb\xbf{}"] {
        assert_eq!(send(bad.to_vec()).await.faults()[0].1, "json_invalid", "{bad:?}");
    }
    let deep = |depth: usize| [b"[".repeat(depth), b"]".repeat(depth)].concat();
    assert_eq!(send(deep(10_000)).await.faults()[0].1, "json_invalid");
    send(deep(100)).await.expect(200);
    let large = format!("\"{}\"", "x".repeat(5_000_000));
    let ran = send(large.clone().into_bytes()).await.expect(200);
    assert_eq!(ran["output"], 5_000_000);
    let job = user.get(&format!("/jobs/{}", ran["job_id"])).await.expect(200);
    assert_eq!(job["input"].as_str().map(str::len), Some(5_000_000));
    let too_large = vec![b' '; 7 * 1024 * 1024];
    assert_eq!(send(too_large).await.expect(413)["code"], "BODY_TOO_LARGE");
}

#[tokio::test]
async fn runs_of_one_function_share_a_process_and_those_of_another_never_do() {
    let user = Server::shared().user().await;
    let code = "count = 0\ndef handler(event):\n    global count\n    count += 1\n    return count";
    let (one, other) = (user.function("PYTHON", code).await, user.function("PYTHON", code).await);
    let mut counts = Vec::new();
    for function in [&one, &one, &other, &one] {
        counts.push(user.invoke(function, &json!({})).await["output"].clone());
    }
    assert_eq!(counts, [1, 2, 1, 3].map(Value::from));
}

#[tokio::test]
async fn results_of_megabytes_come_back_whole() {
    let user = Server::shared().user().await;
    // Mostly quotes, which JSON in JSON writes as two bytes each.
    for (runtime, code) in [
        ("PYTHON", "def handler(event):\n    return [''] * 1_500_000"),
        ("NODEJS", "exports.handler = () => Array(1500000).fill('')"),
    ] {
        let function = user.function(runtime, code).await;
        let request = user.request(Method::POST, &format!("/functions/{function}/invoke"));
        let answer = user.send(request.header("accept-encoding", "gzip")).await;
        let text = match answer.header("content-encoding") {
            Some("gzip") => testkit::gunzip(&answer.body),
            _ => answer.body.to_vec(),
        };
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&text[..text.len().min(500)]));
        let ran: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(ran["output"].as_array().map(Vec::len), Some(1_500_000), "{runtime}: {}", ran["error"]);
    }
}
