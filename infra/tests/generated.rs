//! What is committed in `infra/` against the code, and against what each route declares. Reads the files as they would be
//! deployed; what a word allows is written down here a second time, on purpose.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

/// Which words of `x-access` let a role have an action. Adding a line is a decision, taken here.
const ALLOWED: &[(&str, &[&str])] = &[
    ("dynamodb:GetItem", &["table:read", "idempotency:keep"]),
    ("dynamodb:BatchGetItem", &["table:read"]),
    ("dynamodb:Query", &["table:read"]),
    ("dynamodb:PutItem", &["table:write", "idempotency:keep"]),
    ("dynamodb:UpdateItem", &["table:write", "idempotency:keep"]),
    ("dynamodb:DeleteItem", &["table:write", "idempotency:keep"]),
    ("dynamodb:ConditionCheckItem", &["table:write", "idempotency:keep"]),
    ("s3:GetObject", &["code:read", "payloads:read", "idempotency:keep", "runtime:deploy", "runtime:invoke"]),
    (
        "s3:PutObject",
        &["code:write", "payloads:write", "idempotency:keep", "runtime:deploy", "runtime:invoke"],
    ),
    ("s3:ListBucket", &["code:read", "payloads:read", "runtime:deploy", "runtime:invoke"]),
    ("sqs:SendMessage", &["queue:send"]),
    ("sqs:GetQueueAttributes", &["queue:read"]),
    ("lambda:InvokeFunction", DEPLOYS),
    ("lambda:GetFunctionConfiguration", &["runtime:read", "runtime:deploy", "runtime:invoke"]),
    ("lambda:CreateFunction", DEPLOYS),
    ("lambda:UpdateFunctionCode", DEPLOYS),
    ("lambda:UpdateFunctionConfiguration", DEPLOYS),
    ("lambda:PublishVersion", DEPLOYS),
    ("lambda:CreateAlias", DEPLOYS),
    ("lambda:UpdateAlias", DEPLOYS),
    ("lambda:ListAliases", DEPLOYS),
    ("lambda:DeleteAlias", DEPLOYS),
    ("lambda:DeleteFunction", DEPLOYS),
    ("iam:PassRole", DEPLOYS),
];
/// An invocation deploys the function where it isn't there; a deployment has what was deployed compile its code.
const DEPLOYS: &[&str] = &["runtime:deploy", "runtime:invoke"];
/// What every function has: its own log group, and the secret that tokens are checked with.
const EVERY: &[&str] = &["logs:CreateLogStream", "logs:PutLogEvents", "secretsmanager:GetSecretValue"];

fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A route's resources, as text, by the route's name.
fn sections(stack: &str) -> BTreeMap<String, String> {
    let (_, resources) = stack.split_once("\nResources:\n").expect("a stack has resources");
    let sections = resources.split("\n  # ").skip(1);
    sections
        .map(|section| (section.split(':').next().unwrap_or_default().to_owned(), section.to_owned()))
        .collect()
}

fn count(section: &str, kind: &str) -> usize {
    section.lines().filter(|line| line.trim() == format!("Type: {kind}")).count()
}

fn actions(section: &str) -> BTreeSet<&str> {
    let inline = section.lines().filter_map(|line| line.trim().strip_prefix("Action: "));
    let inline = inline.flat_map(|list| list.trim_matches(['[', ']']).split(", "));
    let listed = section.lines().filter_map(|line| line.trim().strip_prefix("- "));
    let listed = listed.filter(|item| !item.starts_with(['!', 'S', 'P', '\'']));
    // `lambda:InvokeFunction` of the permission that API Gateway has is no action of the role.
    let role = section.find("Type: AWS::Lambda::Function\n").expect("a function");
    let (before, _) = section.split_at(role);
    inline
        .chain(listed)
        .filter(|action| action.contains(':') && !action.starts_with("sts:") && before.contains(action))
        .collect()
}

/// Every operation of a document: its route, its method and path, what it declares.
fn operations(doc: &Value) -> Vec<(String, String, BTreeSet<String>)> {
    let mut all = Vec::new();
    for (path, item) in doc["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            if !operation.is_object() {
                continue;
            }
            let route = operation["x-route"].as_str().or(operation["operationId"].as_str()).expect("a name");
            let access = operation["x-access"].as_array().expect("every route says what it touches");
            let access = access.iter().map(|word| word.as_str().expect("a word").to_owned()).collect();
            let method = if operation["x-route"].is_string() { "ANY" } else { method };
            all.push((route.to_owned(), format!("{} {path}", method.to_uppercase()), access));
        }
    }
    all
}

fn documents() -> Vec<(&'static str, Value, BTreeMap<String, String>)> {
    let apis = infra::apis().into_iter().map(|(api, _)| api);
    apis.map(|api| {
        let doc = serde_json::from_str(&file(&format!("openapi/{api}.json"))).expect("JSON");
        (api, doc, sections(&file(&format!("{api}.yaml"))))
    })
    .collect()
}

#[test]
fn what_is_generated_is_fresh() {
    for (path, text) in infra::files().expect("what is generated in part can be read") {
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == text, "{} is stale: run `make generate` and commit it", path.display());
    }
    let names = |folder: &str, suffix: &str| -> BTreeSet<String> {
        let files =
            fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).expect("a folder of infra");
        let names = files.map(|file| file.expect("an entry").file_name().to_string_lossy().into_owned());
        names.filter_map(|name| name.strip_suffix(suffix).map(str::to_owned)).collect()
    };
    let documents: BTreeSet<_> = infra::apis().into_iter().map(|(name, _)| name.to_owned()).collect();
    assert_eq!(names("openapi", ".json"), documents, "infra/openapi has what no document is of");
    let stacks = &names("", ".yaml") - &BTreeSet::from(["deploy-role".to_owned()]);
    assert_eq!(stacks, documents, "infra has stacks that no document is of");
}

#[test]
fn every_operation_has_one_function_and_one_route() {
    for (api, doc, sections) in documents() {
        let operations = operations(&doc);
        let names: BTreeSet<_> = operations.iter().map(|(name, ..)| name).collect();
        assert_eq!(names, sections.keys().collect(), "{api}: functions without a route, or the reverse");
        for (name, key, _) in &operations {
            let section = &sections[name];
            for kind in [
                "Lambda::Function",
                "IAM::Role",
                "ApiGatewayV2::Integration",
                "Lambda::Permission",
                "Logs::LogGroup",
            ] {
                assert_eq!(count(section, &format!("AWS::{kind}")), 1, "{name}: AWS::{kind}");
            }
            let keys: Vec<_> =
                section.lines().filter_map(|line| line.trim().strip_prefix("RouteKey: ")).collect();
            // The route, its twin with or without the slash at the end, and HEAD beside GET.
            let (method, path) = key.split_once(' ').expect("a method and a path");
            let paths = match path {
                "/" => vec!["/".to_owned()],
                _ if method == "ANY" => vec![format!("{}+}}", path.trim_end_matches('}'))],
                _ => vec![path.trim_end_matches('/').to_owned(), format!("{}/", path.trim_end_matches('/'))],
            };
            let methods: &[&str] = if method == "GET" { &["GET", "HEAD"] } else { &[method] };
            let expected: BTreeSet<_> = methods
                .iter()
                .flat_map(|method| paths.iter().map(move |path| format!("{method} {path}")))
                .collect();
            let keys: BTreeSet<_> = keys.into_iter().map(str::to_owned).collect();
            assert_eq!(keys, expected, "{name}");
        }
    }
}

#[test]
fn the_small_binaries_have_the_routes_that_need_the_table_only() {
    for document in catalogue::DOCUMENTS {
        let mut expected = infra::routes::routes((document.api)().openapi());
        expected.retain(|route| infra::access::is_table_only(&route.access));
        assert_eq!(infra::routes::routes((document.table_api)().openapi()), expected, "{}", document.name);
    }
}

#[test]
fn no_role_may_more_than_its_route_declares() {
    for (_, doc, sections) in documents() {
        for (name, _, access) in operations(&doc) {
            let actions = actions(&sections[&name]);
            for word in EVERY {
                assert!(actions.contains(word), "{name} lacks {word}");
            }
            for action in actions.iter().filter(|action| !EVERY.contains(action)) {
                let words = ALLOWED.iter().find(|(known, _)| known == action).map(|(_, words)| *words);
                let words = words.unwrap_or_else(|| panic!("{name}: nothing allows {action}"));
                assert!(
                    words.iter().any(|word| access.contains(*word)),
                    "{name}: {action} needs one of {words:?}, and {access:?} is declared"
                );
            }
            if access.is_empty() {
                assert_eq!(actions.len(), EVERY.len(), "{name} declares nothing");
            }
        }
    }
}
