//! User code is deployed and run on an emulator of Lambda.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use aws::lambda::Deployment;
use aws::{LambdaRuntime, S3Blobs};
use aws_sdk_lambda::Client;
use bytes::Bytes;
use domain::function::{Handler, Module};
use domain::job::Outcome;
use domain::{
    ExecutionType, Function, FunctionId, JobId, Language, Settings, Status, Timestamp, UserId, Version,
    WorkspaceId,
};
use ports::{Blobs, Invocation, Runtime};
use serde_json::json;
use uuid::Uuid;

struct Home {
    runtime: LambdaRuntime,
    blobs: Arc<dyn Blobs>,
    client: Client,
}

async fn home(test: &str) -> Option<Home> {
    let sdk = support::emulator(test)?;
    let bucket = support::fresh("bucket");
    let config = aws_sdk_s3::config::Builder::from(&sdk).force_path_style(true).build();
    aws_sdk_s3::Client::from_conf(config).create_bucket().bucket(&bucket).send().await.unwrap();
    let blobs: Arc<dyn Blobs> = Arc::new(S3Blobs::new(&sdk, &bucket, true));
    let deployment = Deployment {
        code_bucket: bucket,
        function_name_prefix: "test-".into(),
        execution_role_arn: "arn:aws:iam::000000000000:role/user-code".into(),
    };
    Some(Home {
        runtime: LambdaRuntime::new(&sdk, deployment, blobs.clone()),
        blobs,
        client: Client::new(&sdk),
    })
}

impl Home {
    /// Saves a source, as the platform does before it deploys.
    async fn save(&self, id: FunctionId, version: u32, module: Module, source: &str) -> Version {
        let code_key = format!("code/{id}/{version}");
        self.blobs.put(&code_key, Bytes::from(source.to_owned())).await.unwrap();
        Version {
            function_id: id,
            version,
            language: if module == Module::Python { Language::Python } else { Language::Nodejs },
            module,
            handler: Handler::default(),
            code_key,
            // Of no matter what, but of each source another.
            code_sha256: format!("{:x}", Uuid::new_v5(&Uuid::NAMESPACE_OID, source.as_bytes()).as_u128()),
            code_size: source.len(),
            created_at: Timestamp::from_millis(0),
        }
    }

    async fn invoke(&self, version: &Version, settings: &Settings, event: serde_json::Value) -> Outcome {
        let invocation = Invocation {
            job_id: JobId(7),
            attempt: 2,
            workspace_id: WorkspaceId::from_random([1; 16]),
            function_name: "greet".into(),
            version: Arc::new(version.clone()),
            settings: Arc::new(settings.clone()),
            event: event.to_string().into(),
            patience: Duration::from_secs(5),
        };
        self.runtime.invoke(invocation).await.unwrap()
    }
}

fn function(current: Version, settings: Settings) -> Function {
    Function {
        name_key: None,
        id: current.function_id,
        workspace_id: WorkspaceId::from_random([1; 16]),
        owner_id: UserId(1),
        name: "greet".into(),
        description: String::new(),
        execution_type: ExecutionType::Sync,
        endpoint: "/greet".into(),
        public: false,
        http_methods: None,
        runtime_label: None,
        status: Status::Pending,
        status_reason: None,
        settings,
        latest_version: current.version,
        oldest_version: 1,
        current,
        revision: 1,
        created_at: Timestamp::from_millis(0),
        updated_at: Timestamp::from_millis(0),
        deployed_at: None,
    }
}

fn new_id() -> FunctionId {
    FunctionId::from_random(Uuid::new_v4().into_bytes())
}

fn output(outcome: &Outcome) -> serde_json::Value {
    serde_json::from_str(outcome.result.as_ref().unwrap()).unwrap()
}

const PYTHON: &str = "import os\n\
    def handler(event, context):\n    print('hello')\n    \
    return {'event': event, 'who': os.environ.get('WHO'), 'job': context.job_id, 'attempt': context.attempt}\n";

#[tokio::test]
async fn python_is_deployed_and_runs() {
    let Some(home) = home("Python on Lambda").await else { return };
    let version = home.save(new_id(), 1, Module::Python, PYTHON).await;
    let settings = Settings { environment: [("WHO".into(), "me".into())].into(), ..Settings::default() };
    home.runtime.deploy(&function(version.clone(), settings.clone())).await.unwrap().unwrap();
    let outcome = home.invoke(&version, &settings, json!({"text": "é\"", "n": 1})).await;
    let expected = json!({"event": {"text": "é\"", "n": 1}, "who": "me", "job": 7, "attempt": 2});
    assert_eq!(output(&outcome), expected);
    assert_eq!(outcome.logs.text(), "hello\n");
    assert!(outcome.cold_start);
}

#[tokio::test]
async fn node_is_deployed_and_runs() {
    let Some(home) = home("Node on Lambda").await else { return };
    let sources = [
        (
            Module::CommonJs,
            "exports.handler = async (event, context) => { console.log('hello'); return [event, context.version]; };",
        ),
        (
            Module::CommonJs,
            "function handler(event, context) { console.log('hello'); return [event, context.version]; }",
        ),
        (
            Module::Esm,
            "export const handler = async (event, context) => { console.log('hello'); return [event, context.version]; };",
        ),
    ];
    for (module, source) in sources {
        let version = home.save(new_id(), 1, module, source).await;
        home.runtime.deploy(&function(version.clone(), Settings::default())).await.unwrap().unwrap();
        let outcome = home.invoke(&version, &Settings::default(), json!("é")).await;
        assert_eq!(output(&outcome), json!(["é", 1]), "{source}");
        assert_eq!(outcome.logs.text(), "hello\n", "{source}");
    }
}

#[tokio::test]
async fn a_handler_that_throws_is_an_outcome() {
    let Some(home) = home("errors on Lambda").await else { return };
    let version = home
        .save(new_id(), 1, Module::Python, "def handler(event):\n    print('so far')\n    return 1 / 0\n")
        .await;
    home.runtime.deploy(&function(version.clone(), Settings::default())).await.unwrap().unwrap();
    let outcome = home.invoke(&version, &Settings::default(), json!({})).await;
    let error = outcome.result.unwrap_err();
    assert!(error.starts_with("ZeroDivisionError") && error.contains("main.py"), "{error}");
    assert!(!error.contains("lambda_function"), "{error}");
    assert_eq!(outcome.logs.text(), "so far\n");
}

#[tokio::test]
async fn what_is_not_there_is_deployed_when_it_is_called() {
    let Some(home) = home("healing on Lambda").await else { return };
    let id = new_id();
    let version = home.save(id, 1, Module::Python, PYTHON).await;
    let settings = Settings::default();
    assert_eq!(output(&home.invoke(&version, &settings, json!(1)).await)["event"], 1);
    home.client.delete_function().function_name(format!("test-{id}")).send().await.unwrap();
    assert_eq!(output(&home.invoke(&version, &settings, json!(2)).await)["event"], 2);
}

#[tokio::test]
async fn versions_and_settings_live_side_by_side() {
    let Some(home) = home("versions on Lambda").await else { return };
    let (id, plain) = (new_id(), Settings::default());
    let one = home.save(id, 1, Module::Python, "def handler(event):\n    return 'one'\n").await;
    let two = home
        .save(id, 2, Module::Esm, "export const handler = () => 'two ' + (process.env.WHO ?? 'nobody');")
        .await;
    let settings =
        Settings { environment: [("WHO".into(), "me".into())].into(), memory_mb: 512, ..plain.clone() };
    for version in [&one, &two] {
        home.runtime.deploy(&function(version.clone(), plain.clone())).await.unwrap().unwrap();
    }
    // A second deployment of what is there is nothing.
    home.runtime.deploy(&function(two.clone(), plain.clone())).await.unwrap().unwrap();
    assert_eq!(output(&home.invoke(&one, &plain, json!({})).await), "one");
    assert_eq!(output(&home.invoke(&two, &plain, json!({})).await), "two nobody");
    assert_eq!(output(&home.invoke(&two, &settings, json!({})).await), "two me");
    assert_eq!(output(&home.invoke(&two, &plain, json!({})).await), "two nobody");
    assert_eq!(output(&home.invoke(&one, &plain, json!({})).await), "one");
    let versions =
        home.client.list_versions_by_function().function_name(format!("test-{id}")).send().await.unwrap();
    assert_eq!(versions.versions().len(), 4, "three releases and what is published next");
}

#[tokio::test]
async fn only_the_newest_releases_stay() {
    let Some(home) = home("pruning on Lambda").await else { return };
    let id = new_id();
    for n in 1..=8 {
        let source = format!("def handler(event):\n    return {n}\n");
        let version = home.save(id, n, Module::Python, &source).await;
        home.runtime.deploy(&function(version, Settings::default())).await.unwrap().unwrap();
    }
    let name = format!("test-{id}");
    let aliases = home.client.list_aliases().function_name(&name).send().await.unwrap();
    assert_eq!(aliases.aliases().len(), 5);
    let versions = home.client.list_versions_by_function().function_name(&name).send().await.unwrap();
    assert_eq!(versions.versions().len(), 6, "five releases and what is published next");
    let first = home.save(id, 1, Module::Python, "def handler(event):\n    return 1\n").await;
    assert_eq!(output(&home.invoke(&first, &Settings::default(), json!({})).await), 1);
}

#[tokio::test]
async fn several_deployments_at_once_all_end_well() {
    let Some(home) = home("deployments at once on Lambda").await else { return };
    let home = Arc::new(home);
    let id = new_id();
    let deployments = (1..=4).map(|n| {
        let home = home.clone();
        tokio::spawn(async move {
            let source = format!("def handler(event):\n    return {n}\n");
            let version = home.save(id, n, Module::Python, &source).await;
            home.runtime.deploy(&function(version.clone(), Settings::default())).await.unwrap().unwrap();
            assert_eq!(output(&home.invoke(&version, &Settings::default(), json!({})).await), n);
        })
    });
    for deployment in deployments.collect::<Vec<_>>() {
        deployment.await.unwrap();
    }
}

#[tokio::test]
async fn what_is_removed_is_gone() {
    let Some(home) = home("removal on Lambda").await else { return };
    let id = new_id();
    let version = home.save(id, 1, Module::Python, PYTHON).await;
    home.runtime.deploy(&function(version.clone(), Settings::default())).await.unwrap().unwrap();
    home.runtime.remove(id).await.unwrap();
    let there = home.client.get_function().function_name(format!("test-{id}")).send().await;
    assert!(there.unwrap_err().into_service_error().is_resource_not_found_exception());
    assert!(home.blobs.get(&version.code_key).await.unwrap().is_some(), "the source is the platform's");
    home.runtime.remove(id).await.unwrap();
}

#[tokio::test]
async fn too_much_time_is_an_outcome() {
    let Some(home) = home("timeouts on Lambda").await else { return };
    let version = home.save(new_id(), 1, Module::Python, "def handler(event):\n    while True: pass\n").await;
    let settings = Settings { timeout_seconds: 1, ..Settings::default() };
    let error = home.invoke(&version, &settings, json!({})).await.result.unwrap_err();
    assert!(error.contains("1 second"), "{error}");
}

#[tokio::test]
async fn it_says_that_it_is_well() {
    let Some(home) = home("health of Lambda").await else { return };
    assert_eq!(home.runtime.health().await.unwrap(), "lambda; Python 3.13; Node.js 22");
}

#[tokio::test]
async fn a_process_that_dies_fails_its_run_and_no_other() {
    let Some(home) = home("deaths on Lambda").await else { return };
    let source = "import os\ndef handler(event):\n    if event == 'die': os._exit(7)\n    return event\n";
    let version = home.save(new_id(), 1, Module::Python, source).await;
    let settings = Settings::default();
    let error = home.invoke(&version, &settings, json!("die")).await.result.unwrap_err();
    assert!(!error.is_empty());
    assert_eq!(output(&home.invoke(&version, &settings, json!("live")).await), "live");
}

#[tokio::test]
async fn large_events_and_results_pass() {
    let Some(home) = home("large payloads on Lambda").await else { return };
    let version = home.save(new_id(), 1, Module::Python, "def handler(event):\n    return event\n").await;
    let event = json!("x".repeat(5 * 1024 * 1024));
    assert_eq!(output(&home.invoke(&version, &Settings::default(), event.clone()).await), event);
}

#[tokio::test]
async fn code_that_does_not_compile_is_refused_and_what_was_deployed_stays() {
    let Some(home) = home("checks on Lambda").await else { return };
    let settings = Settings::default();
    for (module, good, bad) in [
        (Module::Python, "def handler(event):\n    return 1\n", "def handler(event):\n    nonlocal x\n"),
        (Module::CommonJs, "exports.handler = () => 1;", "exports.handler = () => 1;\n@a class B {}"),
        (Module::Esm, "export const handler = () => 1;", "export const handler = () => 1;\nexport { nope };"),
    ] {
        let id = new_id();
        let first = home.save(id, 1, module, good).await;
        home.runtime.deploy(&function(first.clone(), settings.clone())).await.unwrap().unwrap();
        let second = home.save(id, 2, module, bad).await;
        let fault = home.runtime.deploy(&function(second, settings.clone())).await.unwrap().unwrap_err();
        assert_eq!(fault.line, 2, "{fault}");
        assert_eq!(output(&home.invoke(&first, &settings, json!({})).await), 1);
        // An event that looks like the question runs the code.
        assert_eq!(output(&home.invoke(&first, &settings, json!({"check": true})).await), 1);
        // The code of a third is compiled, and not run, before it is called.
        let slow = match module {
            Module::Python => "while True: pass\ndef handler(event): return 1\n",
            Module::CommonJs => "for (;;);\nexports.handler = () => 1;",
            Module::Esm => "for (;;);\nexport const handler = () => 1;",
        };
        let third = home.save(id, 3, module, slow).await;
        home.runtime.deploy(&function(third, settings.clone())).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn the_handler_is_the_one_that_was_found() {
    let Some(home) = home("handlers on Lambda").await else { return };
    let local = |name: &str| Handler { name: name.into(), local: true };
    for (module, handler, source) in [
        (Module::Python, Handler::named("greet"), "def greet(event):\n    return event\n"),
        (Module::CommonJs, Handler::named("default"), "module.exports = (event) => event;"),
        (Module::CommonJs, Handler::named("greet"), "const greet = (event) => event;"),
        (Module::Esm, local("greet"), "import 'node:fs';\nconst greet = (event) => event;"),
        (Module::Esm, Handler::named("default"), "export default (event) => event;"),
    ] {
        let version = home.save(new_id(), 1, module, source).await;
        let version = Version { handler, ..version };
        home.runtime.deploy(&function(version.clone(), Settings::default())).await.unwrap().unwrap();
        let outcome = home.invoke(&version, &Settings::default(), json!("é")).await;
        assert_eq!(output(&outcome), "é", "{source}");
    }
}
