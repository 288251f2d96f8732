//! What routes ask of AWS, by the adapters for AWS on a stand-in of it: how much an invocation reads before it runs, and
//! the tables of calls and dollars in docs/PERFORMANCE.md. `make generate` writes them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use ports::Parts;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Client, ECHO_PY, unique};

use crate::bill::{Bill, PARTS, PASSWORD_SECONDS, ROUTE_SECONDS, RUN_SECONDS, counted, units};
use crate::cloud::{Call, Cloud};
use crate::ids::Ids;
use crate::operations::{Operation, operations};
use crate::platform::serve;
use crate::support;

const TABLE: &str = "table";

/// The platform on the adapters for AWS.
#[derive(Clone)]
struct Platform {
    cloud: Cloud,
    clients: aws::Clients,
    config: app::Config,
}

impl Platform {
    async fn start() -> Self {
        let cloud = Cloud::start().await;
        let sdk = support::sdk(&cloud.url);
        support::create_table(&sdk, TABLE).await;
        let setting = |text: &str| Some(text.to_owned());
        let config = aws::Config {
            table_name: setting(TABLE),
            code_bucket: setting("bucket"),
            queue_url: setting("https://sqs/queue"),
            dlq_url: setting("https://sqs/dead"),
            function_name_prefix: setting("fr-test-user-"),
            execution_role_arn: setting("arn:aws:iam::000000000000:role/user"),
            s3_path_style: true,
            parser: Some(testkit::Server::binary()),
            ..aws::Config::default()
        };
        // A run is either always or never over within the grace, however busy this machine is.
        let config_of_app = app::Config { sync_grace: Duration::from_secs(3600), ..lambda::app_config() };
        Self { cloud, clients: aws::Clients::new(config, sdk), config: config_of_app }
    }

    /// The same, where every run is longer than the grace.
    fn with_slow_runs(&self) -> Self {
        let config = app::Config { sync_grace: Duration::ZERO, ..self.config.clone() };
        Self { config, ..self.clone() }
    }

    fn parts(&self) -> Parts {
        self.clients.parts().unwrap()
    }

    /// Its routes as a process that has just started: what others remember it does not.
    async fn fresh(&self) -> Client {
        serve(self.parts(), self.config.clone()).await
    }

    /// The same caller at a process that has just started.
    async fn fresh_for(&self, caller: &Client) -> Client {
        self.fresh().await.with_token(caller.token().unwrap_or_default())
    }

    /// The calls that these requests make.
    async fn calls(&self, requests: impl AsyncFnOnce()) -> Vec<Call> {
        self.cloud.take();
        requests().await;
        self.cloud.take()
    }

    /// Gives a worker the messages that wait.
    async fn work(&self) {
        let mut event = SqsEvent::default();
        for body in self.cloud.messages() {
            let mut message = SqsMessage::default();
            message.body = Some(body);
            event.records.push(message);
        }
        let parts = self.parts();
        let queue = parts.queue.clone();
        let services = app::Services::new(parts, lambda::app_config());
        let told = worker::work(&services.worker, queue.as_ref(), event).await;
        assert!(told.batch_item_failures.is_empty(), "{told:?}");
    }
}

fn reads_before_the_run(calls: &[Call]) -> Vec<&str> {
    let run = calls.iter().position(|call| call.name == "Invoke").expect("it runs");
    let before = calls[..run].iter().filter(|call| call.service == "dynamodb");
    before.map(|call| call.name.as_str()).collect()
}

#[tokio::test]
async fn an_invocation_reads_the_table_once_before_it_runs() {
    let platform = Platform::start().await;
    let user = platform.fresh().await.registered().await;
    let ids = Ids::of(&user).await;
    let key = user.key(&ids.workspace).await;
    let invoke = format!("/functions/{}/invoke", ids.function);
    let client = platform.fresh_for(&user).await;
    let calls = platform.calls(async || drop(client.post(&invoke, &json!({})).await.expect(200))).await;
    // The function, and whether its workspace was deleted.
    assert_eq!(reads_before_the_run(&calls), ["BatchGetItem"], "{calls:?}");

    // With a key: the function, its workspace and the key's record in one request.
    let client = platform.fresh().await.with_token(&key);
    let by_key = format!("{invoke}/workspace");
    let calls = platform.calls(async || drop(client.post(&by_key, &json!({})).await.expect(200))).await;
    assert_eq!(reads_before_the_run(&calls), ["BatchGetItem"], "{calls:?}");

    // A trigger has to find out first what is behind its path; only once.
    let path = format!("/run/{}/secret-hook", ids.workspace);
    let calls = platform.calls(async || drop(client.get(&path).await.expect(200))).await;
    assert_eq!(reads_before_the_run(&calls), ["GetItem", "BatchGetItem"], "{calls:?}");
    let calls = platform.calls(async || drop(client.get(&path).await.expect(200))).await;
    assert_eq!(reads_before_the_run(&calls), ["BatchGetItem"], "{calls:?}");

    // So for the triggers of FaaS Backend's functions.
    let new = json!({"name": "hello", "runtime": "Python 3.12", "code": "ZGVmIGhhbmRsZXIoZSk6IHBhc3M=", "public": true});
    let path = format!("/api/workspaces/{}/functions", ids.workspace);
    let made = user.post(&path, &new).await.expect(201);
    let url = made["invocationUrl"].as_str().unwrap();
    let path = &url[url.find("/run/").unwrap()..];
    let client = platform.fresh().await;
    for reads in [&["GetItem", "BatchGetItem"][..], &["BatchGetItem"]] {
        let calls = platform.calls(async || drop(client.get(path).await.expect(200))).await;
        assert_eq!(reads_before_the_run(&calls), reads, "{calls:?}");
    }
}

/// The two tables, as they stand in docs/PERFORMANCE.md.
async fn tables() -> String {
    let platform = Platform::start().await;
    let user = platform.fresh().await.registered().await;
    format!("{}\n{}", routes_table(&platform).await, invocations_table(&platform, &user).await)
}

/// What every route asks, once, when it does what it is there for.
async fn routes_table(platform: &Platform) -> String {
    let mut text = String::from(
        "| route | MB | DynamoDB | read units | write units | S3, SQS, Lambda | $ per million |\n|---|--:|---|--:|--:|---|--:|\n",
    );
    let functions = infra::apis().into_iter().flat_map(|(_, doc)| infra::routes::routes(&doc));
    let operations = operations().await;
    for function in functions {
        let of_route = |operation: &&Operation| {
            operation.id == function.name || operation.id == format!("{}.post", function.name)
        };
        let operation = operations.iter().find(of_route).expect("every route is in the document");
        // Of their own, so that lists are of one.
        let user = &platform.fresh().await.registered().await;
        let ids = Ids::of(user).await;
        let caller = operation.caller(user, &ids).await;
        let prepared = prepared(operation, user, &ids).await;
        let client = platform.fresh_for(&caller).await;
        let calls = platform
            .calls(async || match prepared {
                Some((path, body)) => drop(client.post(&path, &body).await.expect(200)),
                None => {
                    let answer = operation.call(&client, &ids).await;
                    assert!(operation.is_done(&answer), "{}: {answer:?}", operation.id);
                }
            })
            .await;
        platform.cloud.messages();
        // What hashes a password says that it needs the memory, for the processor that comes with it.
        let seconds = if function.memory > 256 { PASSWORD_SECONDS } else { ROUTE_SECONDS };
        let runs = calls.iter().filter(|call| call.name == "Invoke").count() as f64;
        let bill = Bill::route(function.memory as f64 / 1024.0, seconds + runs * RUN_SECONDS, &calls);
        let (read, written) = units(&calls);
        writeln!(
            text,
            "| {} | {} | {} | {read} | {written} | {} | {:.2} |",
            function.name,
            function.memory,
            counted(&calls, &["dynamodb"]),
            counted(&calls, &["s3", "sqs", "lambda"]),
            bill.total() * 1e6
        )
        .unwrap();
    }
    text
}

/// A request of the routes that `Operation::call` does not bring to what they are there for.
async fn prepared(operation: &Operation, user: &Client, ids: &Ids) -> Option<(String, Value)> {
    match operation.id.as_str() {
        "users.login" => {
            let new = json!({"username": unique("user-"), "name": "A User", "password": "correct horse"});
            user.post("/users/register", &new).await.expect(200);
            Some(("/users/login".into(), new))
        }
        "jobs.cancel" => {
            let job = waiting_job(user, ids).await;
            Some((format!("/jobs/{job}/cancel"), Value::Null))
        }
        _ => None,
    }
}

/// The id of a job that is queued.
async fn waiting_job(user: &Client, ids: &Ids) -> Value {
    let fields = json!({"runtime": "PYTHON", "code": ECHO_PY, "execution_type": "ASYNC"});
    let function = user.function_with(&ids.workspace, fields).await;
    user.post(&format!("/functions/{function}/invoke"), &json!({})).await.expect(202)["job_id"].clone()
}

/// What invocations cost, part by part.
async fn invocations_table(platform: &Platform, user: &Client) -> String {
    let mut text = format!("| a million of | read units | write units | {} | $ |\n", PARTS.join(" | "));
    text += &"|---".repeat(4 + PARTS.len());
    text += "|\n";
    let mut row = |name: &str, bill: &Bill, calls: &[Call]| {
        let (read, written) = units(calls);
        let parts: Vec<_> = bill.parts().iter().map(|part| format!("{:.2}", part * 1e6)).collect();
        let total = bill.total() * 1e6;
        writeln!(text, "| {name} | {read} | {written} | {} | **{total:.2}** |", parts.join(" | ")).unwrap();
    };
    let route = |calls: &[Call]| Bill::route(0.25, ROUTE_SECONDS + RUN_SECONDS, calls);
    let ids = Ids::of(user).await;
    let key = user.key(&ids.workspace).await;
    let invoke = format!("/functions/{}/invoke", ids.function);
    let large = json!({"text": "x".repeat(100_000)});

    let client = platform.fresh_for(user).await;
    let run = async |client: &Client, path: &str, event: &Value| {
        platform.calls(async || drop(client.post(path, event).await.expect(200))).await
    };
    let calls = run(&client, &invoke, &json!({"n": 1})).await;
    row("SYNC runs that end within 100 ms", &route(&calls), &calls);
    let calls = run(&platform.with_slow_runs().fresh_for(user).await, &invoke, &json!({"n": 1})).await;
    row("SYNC runs that take longer", &route(&calls), &calls);
    let by_key = platform.fresh().await.with_token(&key);
    let calls = run(&by_key, &format!("{invoke}/workspace"), &json!({"n": 1})).await;
    row("… with a workspace key, within 100 ms", &route(&calls), &calls);
    let trigger = format!("/run/{}/secret-hook", ids.workspace);
    run(&by_key, &trigger, &json!({"n": 1})).await;
    let calls = run(&by_key, &trigger, &json!({"n": 1})).await;
    row("… by trigger with a key, within 100 ms", &route(&calls), &calls);
    let calls = platform
        .calls(async || {
            let request = client.request(Method::POST, &invoke).header("idempotency-key", unique("k"));
            client.send(request.json(&json!({"n": 1}))).await.expect(200);
        })
        .await;
    row("… with an `Idempotency-Key`, within 100 ms", &route(&calls), &calls);
    platform.cloud.set_output(&large.to_string());
    let calls = run(&client, &invoke, &large).await;
    row("… with 100 KB in and out, within 100 ms", &route(&calls), &calls);
    platform.cloud.set_output("{}");

    let fields = json!({"runtime": "PYTHON", "code": ECHO_PY, "execution_type": "ASYNC"});
    let queued = format!("/functions/{}/invoke", user.function_with(&ids.workspace, fields).await);
    let mut calls =
        platform.calls(async || drop(client.post(&queued, &json!({"n": 1})).await.expect(202))).await;
    let mut bill = Bill::route(0.25, ROUTE_SECONDS, &calls);
    let worked = platform.calls(async || platform.work().await).await;
    bill.function(0.25, ROUTE_SECONDS + RUN_SECONDS, &worked);
    // The event source takes the message and deletes it, at worst one at a time.
    bill.sqs += 2.0 * crate::prices::SQS_REQUEST;
    calls.extend(worked);
    row("ASYNC jobs", &bill, &calls);
    text
}

const BEGIN: &str = "<!-- aws calls: begin -->\n";
const END: &str = "<!-- aws calls: end -->";

#[tokio::test]
async fn the_tables_in_the_documents_are_what_was_recorded() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/PERFORMANCE.md");
    let document = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = document.split_once(BEGIN).expect("a place for the tables");
    let (written, after) = rest.split_once(END).expect("its end");
    let recorded = tables().await;
    if std::env::var_os("FUNCTION_RUNNER_WRITE_COSTS").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{recorded}{END}{after}")).unwrap();
        return;
    }
    let operations = std::fs::read_to_string(path.with_file_name("OPERATIONS.md")).unwrap();
    for row in recorded.lines().filter(|row| ["| SYNC", "| ASYNC"].iter().any(|start| row.starts_with(start)))
    {
        let columns: Vec<_> = row.split('|').map(str::trim).collect();
        let (dynamodb, total) = (columns[7], columns[11].trim_matches('*'));
        let told = format!("| {total} | {dynamodb} |");
        assert!(operations.contains(&told), "docs/OPERATIONS.md does not say what this costs: {row}");
    }
    assert!(
        written == recorded,
        "docs/PERFORMANCE.md is stale: run `make generate` and commit it\n{recorded}"
    );
}

#[tokio::test]
async fn what_a_queued_run_returned_is_read_as_its_route_declares() {
    let mut platform = Platform::start().await;
    platform.config.gateway_wait = Duration::from_secs(60);
    let user = platform.fresh().await.registered().await;
    let workspace = user.workspace().await;
    // Too long to be run by the process that answers: frozen once it has, on Lambda.
    let fields = json!({"runtime": "PYTHON", "code": ECHO_PY, "timeout_seconds": 600});
    let path = format!("/functions/{}/invoke", user.function_with(&workspace, fields).await);
    platform.cloud.set_output(&json!("x".repeat(100_000)).to_string());
    platform.cloud.take();
    let client = platform.fresh_for(&user).await;
    let event = json!({});
    let (answer, ()) = tokio::join!(client.post(&path, &event), async {
        testkit::poll("the job is queued", async || platform.cloud.has_messages().then_some(())).await;
        platform.work().await;
    });
    assert_eq!(answer.expect(200)["output"].as_str().map(str::len), Some(100_000));
    let read: BTreeSet<_> = platform.cloud.take().into_iter().map(|call| call.name).collect();
    assert!(read.contains("GetObject"), "{read:?}");
    for operation in operations().await {
        let runs = operation.access.iter().any(|word| word == "runtime:invoke");
        let reads = operation.access.iter().any(|word| word == "payloads:read");
        assert!(!runs || reads, "{} may wait for a result that it may not read", operation.id);
    }
}
