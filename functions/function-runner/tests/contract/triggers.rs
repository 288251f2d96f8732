//! `/run`: HTTP triggers.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Client, Server};

async fn trigger(user: &Client, fields: Value) -> (String, String) {
    let workspace = user.workspace().await;
    user.function_with(&workspace, fields).await;
    (format!("/run/{workspace}/hook"), workspace)
}

const SHOW: &str = "exports.handler = (event) => event";

#[tokio::test]
async fn a_request_becomes_an_event_of_payload_2() {
    let user = Server::shared().user().await;
    let (path, _) =
        trigger(&user, json!({"runtime": "NODEJS", "code": SHOW, "endpoint": "/hook", "public": true})).await;
    let request = user
        .request(Method::PATCH, &format!("{path}?a=1&a=2&b=%20x"))
        .header("content-type", "application/json")
        .header("x-odd", "ünï")
        .header("cookie", "c=1; d=2")
        .body("{\"hello\": 1}");
    let event = user.send(request).await.expect(200);
    assert_eq!((&event["version"], &event["rawQueryString"]), (&json!("2.0"), &json!("a=1&a=2&b=%20x")));
    assert_eq!(
        (&event["rawPath"], &event["queryStringParameters"]),
        (&json!(path), &json!({"a": "1,2", "b": " x"}))
    );
    assert_eq!(event["cookies"], json!(["c=1", "d=2"]));
    assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("{\"hello\": 1}"), &json!(false)));
    assert_eq!(event["requestContext"]["http"]["method"], "PATCH");
    assert!(event["requestContext"]["http"]["sourceIp"].is_string());
    let headers = event["headers"].as_object().unwrap();
    assert_eq!(headers["x-odd"], "ünï");
    assert!(!headers.contains_key("authorization") && !headers.contains_key("connection"), "{headers:?}");

    let request =
        user.request(Method::POST, &path).header("content-type", "image/png").body(vec![0xff, 0x00]);
    let event = user.send(request).await.expect(200);
    assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("/wA="), &json!(true)));
    for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        let event = user.send(user.request(method.clone(), &path)).await.expect(200);
        assert_eq!(event["requestContext"]["http"]["method"], method.as_str());
    }
}

#[tokio::test]
async fn a_shaped_result_becomes_the_response() {
    let user = Server::shared().user().await;
    let code = "exports.handler = () => ({statusCode: 201, headers: {'Content-Type': 'image/gif', 'X-N': 1}, \
                cookies: ['a=1', 'b=2'], body: '/wA=', isBase64Encoded: true})";
    let (path, _) =
        trigger(&user, json!({"runtime": "NODEJS", "code": code, "endpoint": "/hook", "public": true})).await;
    let answer = user.without_token().get(&path).await;
    assert_eq!((answer.status, &answer.body[..]), (201, &[0xff, 0x00][..]));
    assert_eq!((answer.header("content-type"), answer.header("x-n")), (Some("image/gif"), Some("1")));
    let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
    assert!(answer.header("x-request-id").is_some());
    // What it is not: any other result is JSON.
    let (path, _) = trigger(
        &user,
        json!({"runtime": "PYTHON", "code": "def handler(event):\n    return [1, 'two']", "endpoint": "/hook", "public": true}),
    )
    .await;
    let answer = user.get(&path).await;
    assert_eq!(
        (answer.header("content-type"), answer.expect(200)),
        (Some("application/json"), json!([1, "two"]))
    );
}

#[tokio::test]
async fn a_response_that_can_have_no_body_announces_none() {
    let user = Server::shared().user().await;
    for status in [204, 205, 304] {
        let code = format!("exports.handler = () => ({{statusCode: {status}, body: 'text'}})");
        let (path, _) =
            trigger(&user, json!({"runtime": "NODEJS", "code": code, "endpoint": "/hook", "public": true}))
                .await;
        let answer = user.without_token().get(&path).await;
        assert_eq!((answer.status, &answer.body[..]), (status, &[][..]));
        assert!(matches!(answer.header("content-length"), None | Some("0")), "{status}");
    }
}

#[tokio::test]
async fn a_private_trigger_wants_a_key_of_its_workspace() {
    let user = Server::shared().user().await;
    let (path, workspace) =
        trigger(&user, json!({"runtime": "NODEJS", "code": SHOW, "endpoint": "/hook"})).await;
    let refused = user.without_token().get(&path).await;
    assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
    refused.expect(401);
    user.with_token("nonsense").get(&path).await.expect(401);
    // The owner's own token opens it too, and that of nobody else.
    user.get(&path).await.expect(200);
    Server::shared().user().await.get(&path).await.expect(404);
    user.with_token(&user.key(&workspace).await).get(&path).await.expect(200);
    let elsewhere = user.workspace().await;
    user.with_token(&user.key(&elsewhere).await).get(&path).await.expect(404);
    user.get(&format!("/run/{workspace}/other")).await.expect(404);
    user.get("/run/x/hook").await.expect(422);
    user.get(&format!("/run/{elsewhere}/hook")).await.expect(404);
}

/// Results that can't be responses, and what the owner reads of each.
const NO_RESPONSES: &[(&str, &str)] = &[
    ("({statusCode: 'the secret is 42'})", "`statusCode` is \"the secret is 42\""),
    ("({statusCode: 99})", "`statusCode` is 99"),
    ("({statusCode: 200, body: '!', isBase64Encoded: true})", "not Base64"),
    ("({statusCode: 200, headers: {'x-a': []}})", "the header `x-a` is not a text"),
    ("({statusCode: 200, headers: {'x a': '1'}})", "can't be the name of a header"),
    ("({statusCode: 200, headers: {'x-a': 'secret\\r\\nx-b: 2'}})", "the value of the header `x-a`"),
    ("({statusCode: 200, cookies: 'secret'})", "`cookies` is not a list"),
];

#[tokio::test]
async fn a_function_that_fails_is_a_502_that_tells_strangers_nothing() {
    let user = Server::shared().user().await;
    let thrown = ("(() => { throw new Error('the secret is 42') })()", "the secret is 42");
    for (result, why) in NO_RESPONSES.iter().chain([&thrown]) {
        let code = format!("exports.handler = () => {result}");
        let workspace = user.workspace().await;
        let fields = json!({"runtime": "NODEJS", "code": code, "endpoint": "/hook", "public": true});
        let function = user.function_with(&workspace, fields).await;
        let answer = user.without_token().get(&format!("/run/{workspace}/hook")).await;
        let failed = answer.expect(502);
        let text = "The function failed. Its owner finds the reason in the job";
        let expected = json!({
            "detail": text, "message": text, "code": "FUNCTION_FAILED", "job_id": failed["job_id"],
            "request_id": answer.header("x-request-id"),
        });
        assert_eq!(failed, expected, "{result}");
        // The owner is told everywhere that it failed, and why.
        let job = user.get(&format!("/jobs/{}", failed["job_id"])).await.expect(200);
        assert_eq!((&job["status"], &job["output"]), (&json!("error"), &json!(null)), "{result}");
        assert!(job["error"].as_str().is_some_and(|error| error.contains(why)), "{result}: {job}");
        let counted = user.get(&format!("/functions/{function}/metrics")).await.expect(200);
        assert_eq!((&counted["error_count"], &counted["success_rate"]), (&json!(1), &json!(0.0)), "{result}");
        let logs =
            user.get(&format!("/api/workspaces/{workspace}/functions/{function}/logs")).await.expect(200);
        let entry = &logs["logs"][0];
        assert_eq!((&entry["status"], &entry["statusCode"]), (&json!("error"), &json!(502)), "{entry}");
        assert!(entry["error"].as_str().is_some_and(|error| error.contains(why)), "{entry}");
        // Invoked directly, the same result is just a result.
        if result.starts_with("({") {
            assert_eq!(user.invoke(&function, &json!({})).await["status"], "success", "{result}");
        }
    }
}

#[tokio::test]
async fn a_queued_trigger_is_judged_as_well_and_so_is_its_retry() {
    let user = Server::shared().user().await;
    let code = "def handler(event):\n    return {'statusCode': 'later'}";
    let fields = json!({
        "runtime": "PYTHON", "code": code, "endpoint": "/hook", "public": true, "execution_type": "ASYNC"
    });
    let (path, _) = trigger(&user, fields).await;
    let accepted = user.send(user.request(Method::POST, &path)).await.expect(202);
    let job = user.finished(&accepted["job_id"]).await;
    assert_eq!(job["status"], "error", "{job}");
    let again = user.post(&format!("/jobs/{}/retry", job["id"]), &json!({})).await.expect(202);
    let job = user.finished(&again["job_id"]).await;
    assert!(job["error"].as_str().is_some_and(|error| error.starts_with("InvalidResponse: ")), "{job}");
}

#[tokio::test]
async fn results_as_people_write_them_are_sent() {
    let user = Server::shared().user().await;
    for (runtime, result, status, kind, body) in [
        ("NODEJS", "({statusCode: 201, 'a\"b': 1, body: 'x'})", 201, "text/plain; charset=utf-8", "x"),
        (
            "NODEJS",
            "({statusCode: 200, headers: {'x-a': null}, body: {a: [1]}})",
            200,
            "application/json",
            "{\"a\":[1]}",
        ),
        (
            "NODEJS",
            "({statusCode: '202', headers: {'Content-Type': 'a/b', 'content-type': 'c/d'}})",
            202,
            "c/d",
            "",
        ),
        (
            "NODEJS",
            "({statusCode: 200, body: 'aGVs\\nbG8', isBase64Encoded: true})",
            200,
            "text/plain; charset=utf-8",
            "hello",
        ),
        ("PYTHON", "{'statusCode': 200.0, 'body': [1, None]}", 200, "application/json", "[1, null]"),
        (
            "PYTHON",
            "{'statusCode': 200, 'headers': {'x-a': None}, 'isBase64Encoded': None}",
            200,
            "text/plain; charset=utf-8",
            "",
        ),
        (
            "PYTHON",
            "{'statusCode': 200, 'headers': {'Content-Type': 'text/x'}, 'body': {}}",
            200,
            "text/x",
            "{}",
        ),
    ] {
        let code = match runtime {
            "PYTHON" => format!("def handler(event):\n    return {result}"),
            _ => format!("exports.handler = () => {result}"),
        };
        let fields = json!({"runtime": runtime, "code": code, "endpoint": "/hook", "public": true});
        let (path, _) = trigger(&user, fields).await;
        let answer = user.without_token().get(&path).await;
        let compact = String::from_utf8_lossy(&answer.body).replace(' ', "");
        assert_eq!((answer.status, compact), (status, body.replace(' ', "")), "{result}");
        assert_eq!(answer.header("content-type"), Some(kind), "{result}");
        assert_eq!(answer.headers.get_all("content-type").iter().count(), 1, "{result}");
    }
}

#[tokio::test]
async fn an_async_trigger_answers_202() {
    let user = Server::shared().user().await;
    let fields = json!({"runtime": "NODEJS", "code": SHOW, "endpoint": "/hook", "public": true, "execution_type": "ASYNC"});
    let (path, _) = trigger(&user, fields).await;
    let accepted = user.send(user.request(Method::POST, &path).body("text")).await;
    let body = accepted.expect(202);
    assert_eq!(accepted.header("location"), Some(format!("/jobs/{}", body["job_id"]).as_str()));
    assert_eq!(user.finished(&body["job_id"]).await["output"]["body"], "text");
}

#[tokio::test]
async fn endpoints_with_several_segments_are_found() {
    let user = Server::shared().user().await;
    let workspace = user.workspace().await;
    let fields = json!({"runtime": "NODEJS", "code": SHOW, "endpoint": "/a/b-c/d", "public": true});
    user.function_with(&workspace, fields).await;
    let event = user.get(&format!("/run/{workspace}/a/b-c/d/?x=1")).await.expect(200);
    assert_eq!(event["rawPath"], format!("/run/{workspace}/a/b-c/d/"));
    user.get(&format!("/run/{workspace}/a/b-c")).await.expect(404);
}

#[tokio::test]
async fn an_endpoint_that_moves_takes_its_requests_along() {
    let user = Server::shared().user().await;
    let workspace = user.workspace().await;
    let function = async |text: &str, endpoint: &str| {
        let code = format!("exports.handler = () => '{text}'");
        let fields = json!({"runtime": "NODEJS", "code": code, "endpoint": endpoint, "public": true});
        user.function_with(&workspace, fields).await
    };
    let (one, two) = (function("one", "/hook").await, function("two", "/other").await);
    let path = format!("/run/{workspace}/hook");
    assert_eq!(user.get(&path).await.expect(200), "one");
    user.put(&format!("/functions/{one}"), &json!({"endpoint": "/elsewhere"})).await.expect(200);
    user.get(&path).await.expect(404);
    user.put(&format!("/functions/{two}"), &json!({"endpoint": "/hook"})).await.expect(200);
    assert_eq!(user.get(&path).await.expect(200), "two");
    assert_eq!(user.get(&format!("/run/{workspace}/elsewhere")).await.expect(200), "one");
    user.delete(&format!("/functions/{two}")).await.expect(200);
    user.get(&path).await.expect(404);
}
