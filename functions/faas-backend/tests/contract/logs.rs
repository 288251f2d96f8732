//! `/api/workspaces/{ws_id}/functions/{fn_id}/logs`.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Client, Server, poll};

use crate::{ECHO_PY, made, path, url, workspace};

async fn logs(user: &Client, function: &Value, query: &str) -> Value {
    user.get(&format!("{}/logs{query}", path(function))).await.expect(200)
}

#[tokio::test]
async fn show_requests_responses_and_lines_newest_first() {
    let user = Server::shared().user().await;
    let code = "
        exports.handler = (event) => {
            console.log('asked'); console.warn('careful'); console.debug('deep');
            if (event.rawQueryString === 'boom') { console.error('oh no'); throw new Error('it broke') }
            return {statusCode: 201, headers: {'Content-Type': 'text/html'}, body: '<p>hi'}
        }";
    let fields = json!({"public": true, "httpMethods": ["GET", "POST"]});
    let function = made(&user, &workspace(&user).await, code, fields).await;
    assert_eq!(logs(&user, &function, "").await, json!({"logs": [], "total": 0}));
    let url = url(&function);
    user.post(&url, &json!({"n": 1})).await;
    assert_eq!(user.get(&format!("{url}?boom")).await.status, 502);
    let shown = logs(&user, &function, "").await;
    assert_eq!(shown["total"], 2);
    let (failed, good) = (&shown["logs"][0], &shown["logs"][1]);
    let expected = json!({
        "id": good["id"], "functionId": function["id"], "timestamp": good["timestamp"], "status": "success",
        "duration": good["duration"], "statusCode": 201, "requestBody": {"n": 1}, "responseBody": "<p>hi", "error": null,
        "logs": ["asked", "[WARN] careful", "[DEBUG] deep"], "level": "warn"
    });
    assert_eq!(good, &expected);
    assert!(good["duration"].as_f64().unwrap() > 0.0 && good["timestamp"].as_str().unwrap().ends_with('Z'));
    assert_eq!((&failed["status"], &failed["level"]), (&json!("error"), &json!("error")));
    assert_eq!((&failed["statusCode"], &failed["responseBody"]), (&json!(502), &Value::Null));
    assert_eq!(failed["logs"], json!(["asked", "[WARN] careful", "[DEBUG] deep", "[ERROR] oh no"]));
    assert!(failed["error"].as_str().unwrap().contains("it broke"), "{failed}");
    assert_eq!(logs(&user, &function, "?limit=1").await, json!({"logs": [failed], "total": 2}));
}

#[tokio::test]
async fn python_lines_carry_the_level_that_they_were_logged_at() {
    let user = Server::shared().user().await;
    let code = "import logging\ndef handler(event):\n    print('plain')\n    logging.info('told')\n    \
                logging.warning('careful')\n    logging.error('bad')\n    return 1\n";
    let fields = json!({"public": true, "runtime": "Python 3.12"});
    let function = made(&user, &workspace(&user).await, code, fields).await;
    user.get(&url(&function)).await.expect(200);
    let entry = logs(&user, &function, "").await["logs"][0].clone();
    let lines: Vec<_> = entry["logs"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert_eq!(lines[0], "plain");
    assert!(lines[1].ends_with("told") && !lines[1].starts_with('['), "{lines:?}");
    assert!(lines[2].starts_with("[WARN] ") && lines[2].ends_with("careful"), "{lines:?}");
    assert!(lines[3].starts_with("[ERROR] ") && lines[3].ends_with("bad"), "{lines:?}");
    // It logged an error and did not fail.
    assert_eq!((&entry["level"], &entry["status"]), (&json!("error"), &json!("success")));
}

#[tokio::test]
async fn plain_invocations_show_event_and_result() {
    let user = Server::shared().user().await;
    let code = "def handler(event):\n    return 1 / event['n']\n";
    let function = made(&user, &workspace(&user).await, code, json!({"runtime": "Python 3.12"})).await;
    let id = function["id"].as_str().unwrap();
    user.invoke(id, &json!({"n": 2})).await;
    let failed = user.invoke(id, &json!({"n": 0})).await;
    let shown = logs(&user, &function, "").await["logs"].clone();
    let of = |entry: &Value| {
        (entry["statusCode"].clone(), entry["requestBody"].clone(), entry["responseBody"].clone())
    };
    assert_eq!(of(&shown[0]), (json!(500), json!({"n": 0}), Value::Null));
    assert_eq!(of(&shown[1]), (json!(200), json!({"n": 2}), json!(0.5)));
    assert_eq!(shown[0]["id"], json!(failed["job_id"].to_string()));
    assert_eq!(shown[0]["error"], failed["error"]);
}

#[tokio::test]
async fn binary_bodies_are_base64_and_text_is_text() {
    let user = Server::shared().user().await;
    let code = "exports.handler = (event) => ({statusCode: 200, body: event.body, isBase64Encoded: event.isBase64Encoded})";
    let fields = json!({"public": true, "httpMethods": ["POST"]});
    let function = made(&user, &workspace(&user).await, code, fields).await;
    for (media, body) in [
        ("image/png", vec![0xff, 0x00]),
        ("text/plain", b"words".to_vec()),
        ("application/json", b"{oops".to_vec()),
    ] {
        let request = user.request(Method::POST, &url(&function)).header("content-type", media).body(body);
        assert_eq!(user.send(request).await.status, 200);
    }
    let shown = logs(&user, &function, "").await["logs"].clone();
    let bodies = |name: &str| {
        let mut all: Vec<_> =
            shown.as_array().unwrap().iter().map(|entry| entry[name].as_str().unwrap().to_owned()).collect();
        all.sort();
        all
    };
    assert_eq!(bodies("requestBody"), ["/wA=", "words", "{oops"]);
    assert_eq!(bodies("responseBody"), ["/wA=", "words", "{oops"]);
}

#[tokio::test]
async fn large_texts_are_left_out_and_named() {
    let user = Server::shared().user().await;
    let code =
        "exports.handler = (event) => { console.log('y'.repeat(event.print)); return 'x'.repeat(event.n) }";
    let function = made(&user, &workspace(&user).await, code, json!({})).await;
    let id = function["id"].as_str().unwrap();
    user.invoke(id, &json!({"n": 100_000, "print": 100_000})).await;
    user.invoke(id, &json!({"n": 1_000_000, "print": 1})).await;
    let shown = logs(&user, &function, "").await["logs"].clone();
    // What lies in the blob store is fetched while it is small enough to be shown.
    assert_eq!(shown[1]["responseBody"].as_str().unwrap().len(), 100_000);
    assert_eq!(shown[1]["logs"][0].as_str().unwrap().len(), 100_000);
    assert!(shown[1].get("omitted").is_none());
    assert_eq!((&shown[0]["responseBody"], &shown[0]["omitted"]), (&Value::Null, &json!(["responseBody"])));
    assert_eq!(shown[0]["statusCode"], 200);
    // Many of them don't fit into one answer.
    for _ in 0..25 {
        user.invoke(id, &json!({"n": 200_000, "print": 1})).await;
    }
    let answer = user.get(&format!("{}/logs", path(&function))).await;
    assert!(answer.body.len() < 6 * 1024 * 1024, "{}", answer.body.len());
    let shown = answer.expect(200);
    assert_eq!((&shown["total"], shown["logs"].as_array().unwrap().len()), (&json!(27), 27));
    let omitted: Vec<_> =
        shown["logs"].as_array().unwrap().iter().map(|entry| entry.get("omitted")).collect();
    assert!(omitted[..20].iter().all(Option::is_none), "{omitted:?}");
    assert_eq!(omitted[24], Some(&json!(["responseBody"])));
}

#[tokio::test]
async fn successes_and_failures_are_one_list_and_what_has_not_ended_is_not_in_it() {
    let user = Server::shared().user().await;
    let code = "exports.handler = (event) => { if (event.n % 3 == 0) throw new Error('x'); return event.n }";
    let function = made(&user, &workspace(&user).await, code, json!({})).await;
    let id = function["id"].as_str().unwrap();
    for n in 0..10 {
        user.invoke(id, &json!({"n": n})).await;
    }
    let all = logs(&user, &function, "?limit=1000").await["logs"].as_array().unwrap().clone();
    // Of two that were asked for in the same millisecond, either may come first.
    assert!(all.is_sorted_by(|one, next| one["timestamp"].as_str() >= next["timestamp"].as_str()), "{all:?}");
    let mut asked: Vec<_> = all.iter().map(|entry| entry["requestBody"]["n"].as_u64().unwrap()).collect();
    asked.sort_unstable();
    assert_eq!(asked, (0..10).collect::<Vec<_>>());
    let some = logs(&user, &function, "?limit=4").await["logs"].as_array().unwrap().clone();
    assert_eq!(some, all[..4]);
    for limit in ["0", "1001", "x"] {
        let refused = user.get(&format!("{}/logs?limit={limit}", path(&function))).await.expect(400);
        assert_eq!(refused["error"]["details"]["field"], "limit");
    }
    let slow = "const wait = (ms) => new Promise((go) => setTimeout(go, ms));\nexports.handler = async () => { await wait(20000) }";
    let fields = json!({"executionType": "ASYNC", "public": true});
    let slow = made(&user, &workspace(&user).await, slow, fields).await;
    let job = user.get(&url(&slow)).await.expect(202);
    let job = format!("/jobs/{}", job["job_id"]);
    poll("it runs", async || (user.get(&job).await.expect(200)["status"] == "running").then_some(())).await;
    assert_eq!(logs(&user, &slow, "").await, json!({"logs": [], "total": 0}));
}

#[tokio::test]
async fn queued_runs_are_shown_as_if_the_caller_had_waited() {
    let user = Server::shared().user().await;
    let workspace = workspace(&user).await;
    let fields = json!({"public": true, "executionType": "ASYNC", "runtime": "Python 3.12"});
    let function = made(&user, &workspace, ECHO_PY, fields).await;
    let accepted = user.get(&url(&function)).await.expect(202);
    user.finished(&accepted["job_id"]).await;
    let entry = logs(&user, &function, "").await["logs"][0].clone();
    assert_eq!((&entry["id"], &entry["statusCode"]), (&json!(accepted["job_id"].to_string()), &json!(200)));
    assert_eq!((&entry["requestBody"], &entry["level"]), (&Value::Null, &json!("info")));
    assert_eq!(entry["responseBody"]["version"], "2.0");
}
