//! A stand-in for AWS, enough for the adapters: DynamoDB is a program of its own, S3 a map, SQS a list, and Lambda
//! answers every run alike. It writes down each call, and what DynamoDB would bill for it.

use std::collections::BTreeMap;
use std::mem::take;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use testkit::DynamoDb;

/// A call of AWS's.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    /// `dynamodb`, `s3`, `sqs`, `lambda`.
    pub(crate) service: &'static str,
    /// The operation: `GetItem`.
    pub(crate) name: String,
    /// Of DynamoDB: read or write request units.
    pub(crate) units: f64,
}

impl Call {
    /// Whether it reads the table.
    pub(crate) fn is_read(&self) -> bool {
        ["GetItem", "BatchGetItem", "Query"].contains(&self.name.as_str())
    }
}

/// A user's function on the stand-in for Lambda.
#[derive(Default)]
struct Function {
    /// What `GetFunctionConfiguration` says.
    configuration: Value,
    /// Versions by alias.
    aliases: BTreeMap<String, String>,
    versions: usize,
}

#[derive(Default)]
struct Kept {
    calls: Vec<Call>,
    objects: BTreeMap<String, Bytes>,
    messages: Vec<String>,
    functions: BTreeMap<String, Function>,
    output: String,
}

struct Inner {
    engine: DynamoDb,
    http: reqwest::Client,
    kept: Mutex<Kept>,
}

/// The stand-in. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Cloud {
    /// Where it listens.
    pub(crate) url: String,
    inner: Arc<Inner>,
}

impl Cloud {
    /// Starts one.
    pub(crate) async fn start() -> Self {
        let engine = DynamoDb::start();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let kept = Mutex::new(Kept { output: "{\"hello\":\"world\"}".into(), ..Kept::default() });
        let inner = Arc::new(Inner { engine, http: reqwest::Client::new(), kept });
        let router = Router::new().fallback(answer).with_state(inner.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, inner }
    }

    /// The calls since the last look.
    pub(crate) fn take(&self) -> Vec<Call> {
        take(&mut self.inner.kept.lock().unwrap().calls)
    }

    /// The bodies of the messages since the last look.
    pub(crate) fn messages(&self) -> Vec<String> {
        take(&mut self.inner.kept.lock().unwrap().messages)
    }

    /// Whether a message waits.
    pub(crate) fn has_messages(&self) -> bool {
        !self.inner.kept.lock().unwrap().messages.is_empty()
    }

    /// What every run returns from now on, as JSON.
    pub(crate) fn set_output(&self, output: &str) {
        self.inner.kept.lock().unwrap().output = output.to_owned();
    }
}

impl Kept {
    fn note(&mut self, service: &'static str, name: &str, units: f64) {
        self.calls.push(Call { service, name: name.to_owned(), units });
    }
}

async fn answer(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let target = head.headers.get("x-amz-target").map(|target| target.to_str().unwrap().to_owned());
    let path = head.uri.path().to_owned();
    let query = head.uri.query().unwrap_or_default();
    match target.as_deref().and_then(|target| target.split_once('.')) {
        Some(("DynamoDB_20120810", name)) => dynamodb(&inner, name, &head.headers, &body).await,
        Some(("AmazonSQS", name)) => sqs(&mut inner.kept.lock().unwrap(), name, &body),
        Some(target) => panic!("nothing stands in for {target:?}"),
        None if path.starts_with("/2015-03-31/") => {
            let rest = path.trim_start_matches("/2015-03-31/functions").trim_start_matches('/');
            lambda(&mut inner.kept.lock().unwrap(), &head.method, rest, query, &body)
        }
        None => s3(&mut inner.kept.lock().unwrap(), &head.method, &path, body),
    }
}

/// Asks the engine, and it for what the call takes.
async fn dynamodb(inner: &Inner, name: &str, headers: &HeaderMap, body: &[u8]) -> Response {
    let mut asked: Value = serde_json::from_slice(body).unwrap();
    if name != "CreateTable" {
        asked["ReturnConsumedCapacity"] = "INDEXES".into();
    }
    let mut request = inner.http.post(inner.engine.url()).body(asked.to_string());
    for name in ["x-amz-target", "content-type", "authorization", "x-amz-date"] {
        if let Some(value) = headers.get(name) {
            request = request.header(name, value);
        }
    }
    let answer = request.send().await.unwrap();
    let status = answer.status();
    let told = answer.bytes().await.unwrap();
    let json: Value = serde_json::from_slice(&told).unwrap();
    assert!(status.is_success(), "{name} was refused, and refusals are not billed here: {json}");
    let consumed = match &json["ConsumedCapacity"] {
        Value::Array(tables) => tables.clone(),
        one => vec![one.clone()],
    };
    let units = consumed.iter().filter_map(|table| table["CapacityUnits"].as_f64()).sum();
    inner.kept.lock().unwrap().note("dynamodb", name, units);
    ([("content-type", "application/x-amz-json-1.0")], told).into_response()
}

fn sqs(kept: &mut Kept, name: &str, body: &[u8]) -> Response {
    kept.note("sqs", name, 0.0);
    let asked: Value = serde_json::from_slice(body).unwrap();
    if name == "SendMessage" {
        kept.messages.push(asked["MessageBody"].as_str().unwrap().to_owned());
    }
    axum::Json(json!({"MessageId": "1", "Attributes": {}})).into_response()
}

fn s3(kept: &mut Kept, method: &Method, path: &str, body: Bytes) -> Response {
    let name = match *method {
        Method::PUT => "PutObject",
        Method::GET => "GetObject",
        Method::HEAD => "HeadBucket",
        _ => panic!("nothing stands in for S3's {method}"),
    };
    kept.note("s3", name, 0.0);
    match (name, kept.objects.get(path)) {
        ("GetObject", Some(object)) => object.clone().into_response(),
        ("GetObject", None) => {
            (StatusCode::NOT_FOUND, "<Error><Code>NoSuchKey</Code></Error>").into_response()
        }
        ("PutObject", _) => {
            kept.objects.insert(path.to_owned(), body);
            StatusCode::OK.into_response()
        }
        _ => StatusCode::OK.into_response(),
    }
}

fn lambda(kept: &mut Kept, method: &Method, rest: &str, query: &str, body: &[u8]) -> Response {
    let (function, what) = rest.split_once('/').unwrap_or((rest, ""));
    let name = match (method, what) {
        (&Method::POST, "") => "CreateFunction",
        (&Method::GET, "configuration") => "GetFunctionConfiguration",
        (&Method::PUT, "configuration") => "UpdateFunctionConfiguration",
        (&Method::PUT, "code") => "UpdateFunctionCode",
        (&Method::POST, "versions") => "PublishVersion",
        (&Method::POST, "aliases") => "CreateAlias",
        (&Method::GET, "aliases") => "ListAliases",
        (&Method::POST, "invocations") => "Invoke",
        _ => panic!("nothing stands in for Lambda's {method} {rest}"),
    };
    kept.note("lambda", name, 0.0);
    let asked: Value = serde_json::from_slice(body).unwrap_or_default();
    let hash = |key: &Value| {
        let object = kept.objects.iter().find(|(path, _)| path.ends_with(key.as_str().unwrap()));
        STANDARD.encode(Sha256::digest(object.expect("the package is in the bucket").1))
    };
    if name == "CreateFunction" {
        let mut configuration = asked.clone();
        configuration["CodeSha256"] = hash(&asked["Code"]["S3Key"]).into();
        let function = Function { configuration, ..Function::default() };
        kept.functions.insert(asked["FunctionName"].as_str().unwrap().to_owned(), function);
        return (StatusCode::CREATED, axum::Json(asked)).into_response();
    }
    let new_hash = (name == "UpdateFunctionCode").then(|| hash(&asked["S3Key"]));
    let missing = || {
        let error = [("x-amzn-errortype", "ResourceNotFoundException")];
        (StatusCode::NOT_FOUND, error, axum::Json(json!({"Message": "not found"}))).into_response()
    };
    let Some(known) = kept.functions.get_mut(function) else { return missing() };
    let qualifier = query.strip_prefix("Qualifier=").unwrap_or_default();
    let is_alias = qualifier.starts_with('v');
    if is_alias && !known.aliases.contains_key(qualifier) {
        return missing();
    }
    let told = match name {
        "GetFunctionConfiguration" => known.configuration.clone(),
        "UpdateFunctionCode" => {
            known.configuration["CodeSha256"] = new_hash.into();
            known.configuration.clone()
        }
        "UpdateFunctionConfiguration" => {
            for (name, value) in asked.as_object().unwrap() {
                known.configuration[name] = value.clone();
            }
            known.configuration.clone()
        }
        "PublishVersion" => {
            known.versions += 1;
            json!({"Version": known.versions.to_string()})
        }
        "CreateAlias" => {
            let text = |name: &str| asked[name].as_str().unwrap().to_owned();
            known.aliases.insert(text("Name"), text("FunctionVersion"));
            asked
        }
        "ListAliases" => {
            let aliases = known.aliases.iter();
            let aliases: Vec<_> =
                aliases.map(|(name, version)| json!({"Name": name, "FunctionVersion": version})).collect();
            json!({"Aliases": aliases})
        }
        _ if asked == json!({"check": true}) => {
            json!({"compiled": json!({"module": "python", "fault": null}).to_string()})
        }
        _ => json!({"output": kept.output, "error": null, "logs": [{"l": "info", "t": "hello"}],
                    "duration_ms": 0.001, "cold_start": false}),
    };
    let status = if name == "PublishVersion" || name == "CreateAlias" { 201 } else { 200 };
    (StatusCode::from_u16(status).unwrap(), axum::Json(told)).into_response()
}
