use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::*;

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
enum Language {
    Python,
    Nodejs,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct Create {
    #[schema(min_length = 1, max_length = 5, extensions(("x-form" = json!("name"))))]
    name: String,
    #[schema(pattern = "^/[a-z]*$", max_length = 9, extensions(("x-says" = json!("begin with a slash"))))]
    endpoint: Option<String>,
    language: Language,
    other_language: Option<Language>,
    workspace_id: Uuid,
    #[schema(minimum = 1, maximum = 900)]
    timeout: Option<u32>,
    #[serde(default)]
    public: bool,
    environment: Option<BTreeMap<String, String>>,
    #[schema(min_items = 1, max_items = 2)]
    tags: Option<Vec<String>>,
    #[schema(minimum = 0, maximum = 1)]
    ratio: Option<f64>,
    big: Option<u64>,
    #[schema(value_type = Value, required = false)]
    anything: Option<Value>,
}

impl Input for Create {
    fn extra(fields: &Fields<'_>) -> Vec<Fault> {
        let reserved = fields.text("endpoint").filter(|endpoint| *endpoint == "/admin");
        reserved.map(|_| Fault::new(["body", "endpoint"], "value_error", "reserved")).into_iter().collect()
    }
}

fn good() -> Value {
    json!({
        "name": "a", "language": "PYTHON", "workspace_id": "9c5b94b1-35ad-49bb-b118-8e8fc24abf80",
    })
}

/// `good`, with this on top.
fn with(extra: Value) -> Value {
    let mut value = good();
    value.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    value
}

/// The faults as they leave the platform.
fn faults(value: Value) -> Value {
    serde_json::to_value(body::<Create>(value).unwrap_err()).unwrap()
}

/// The one fault of a field.
fn fault(name: &str, value: Value) -> (String, String) {
    let faults = faults(with(json!({ name: value })));
    assert_eq!(faults.as_array().unwrap().len(), 1, "{faults}");
    assert_eq!(faults[0]["loc"][1], name, "{faults}");
    (faults[0]["type"].as_str().unwrap().into(), faults[0]["msg"].as_str().unwrap().into())
}

#[test]
fn all_faults_come_at_once_and_never_echo_the_input() {
    let body =
        json!({ "name": "secret-secret", "language": "RUBY", "timeout": "secret", "endpoint": "/admin" });
    assert_eq!(
        faults(body),
        json!([
            {"loc": ["body", "name"], "msg": "String should have at most 5 characters", "type": "string_too_long"},
            {"loc": ["body", "language"], "msg": "Input should be 'PYTHON' or 'NODEJS'", "type": "enum"},
            {"loc": ["body", "workspace_id"], "msg": "Field required", "type": "missing"},
            {"loc": ["body", "timeout"], "type": "int_parsing",
             "msg": "Input should be a valid integer, unable to parse string as an integer"},
            {"loc": ["body", "endpoint"], "msg": "reserved", "type": "value_error"},
        ])
    );
}

#[test]
fn words_are_pydantics() {
    let cases = [
        ("name", json!(1), "string_type", "Input should be a valid string"),
        ("name", json!(null), "string_type", "Input should be a valid string"),
        ("name", json!(" \u{3000}\n"), "string_too_short", "String should have at least 1 character"),
        ("name", json!("한글한글한글"), "string_too_long", "String should have at most 5 characters"),
        ("endpoint", json!("a"), "string_pattern_mismatch", "String should begin with a slash"),
        ("other_language", json!(3), "enum", "Input should be 'PYTHON' or 'NODEJS'"),
        ("workspace_id", json!(7), "uuid_type", "UUID input should be a string, bytes or UUID object"),
        (
            "workspace_id",
            json!("abc"),
            "uuid_parsing",
            "Input should be a valid UUID, invalid length: found 3",
        ),
        ("timeout", json!(true), "int_type", "Input should be a valid integer"),
        ("timeout", json!("30"), "int_type", "Input should be a valid integer"),
        (
            "timeout",
            json!(1.5),
            "int_from_float",
            "Input should be a valid integer, got a number with a fractional part",
        ),
        ("timeout", json!(0), "greater_than_equal", "Input should be greater than or equal to 1"),
        ("timeout", json!(901), "less_than_equal", "Input should be less than or equal to 900"),
        (
            "timeout",
            json!(1e300),
            "int_parsing_size",
            "Unable to parse input string as an integer, exceeded maximum size",
        ),
        (
            "public",
            json!("maybe"),
            "bool_parsing",
            "Input should be a valid boolean, unable to interpret input",
        ),
        ("public", json!([]), "bool_type", "Input should be a valid boolean"),
        ("environment", json!([]), "dict_type", "Input should be a valid dictionary"),
        ("tags", json!("x"), "list_type", "Input should be a valid list"),
        ("tags", json!([]), "too_short", "List should have at least 1 item after validation, not 0"),
        (
            "tags",
            json!(["a", "b", "c"]),
            "too_long",
            "List should have at most 2 items after validation, not 3",
        ),
        ("ratio", json!("1"), "float_type", "Input should be a valid number"),
        ("ratio", json!(2), "less_than_equal", "Input should be less than or equal to 1"),
        ("big", json!(-1), "greater_than_equal", "Input should be greater than or equal to 0"),
    ];
    for (name, value, kind, msg) in cases {
        assert_eq!(fault(name, value.clone()), (kind.to_owned(), msg.to_owned()), "{name}: {value}");
    }
    for value in [json!([]), json!("text"), json!(1)] {
        assert_eq!(
            faults(value),
            json!([{"loc": ["body"], "type": "model_attributes_type",
                    "msg": "Input should be a valid dictionary or object to extract fields from"}])
        );
    }
    assert_eq!(faults(json!(null)), json!([{"loc": ["body"], "msg": "Field required", "type": "missing"}]));
    let nested = faults(with(json!({ "environment": {"A": 1}, "tags": ["a", 2] })));
    assert_eq!(nested[0]["loc"], json!(["body", "environment", "A"]));
    assert_eq!(nested[1]["loc"], json!(["body", "tags", 1]));
}

#[test]
fn what_is_right_is_read() {
    let value = with(json!({
        "name": "  ab \n", "endpoint": null, "timeout": 24.0, "public": null, "unknown": {"x": 1},
        "other_language": "NODEJS", "big": 9_007_199_254_740_991u64, "environment": {"A": "b"}, "owner_id": 1,
        "anything": {"x": [null]},
    }));
    let read = body::<Create>(value).unwrap();
    assert_eq!(read.name, "ab");
    assert_eq!((read.endpoint, read.timeout, read.public), (None, Some(24), false));
    assert_eq!(read.other_language, Some(Language::Nodejs));
    assert_eq!(read.big, Some(9_007_199_254_740_991));
    assert_eq!(read.anything, Some(json!({"x": [null]})));
}

#[derive(Debug, Deserialize, IntoParams)]
struct Paging {
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    cursor: Option<String>,
    #[param(inline)]
    language: Option<Language>,
}

fn paging(pairs: &[(&str, &str)]) -> Result<Paging, Vec<Fault>> {
    params("query", pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())))
}

#[test]
fn parameters_are_text_that_reads_as_something() {
    let read = paging(&[("limit", "5"), ("limit", "7"), ("cursor", "12"), ("x", "y")]).unwrap();
    assert_eq!((read.limit, read.cursor.as_deref()), (Some(7), Some("12")));
    assert_eq!(paging(&[("language", "PYTHON")]).unwrap().language, Some(Language::Python));
    let cases = [
        ("limit", "", "int_parsing"),
        ("limit", "x", "int_parsing"),
        ("limit", "1.5", "int_parsing"),
        ("limit", "0", "greater_than_equal"),
        ("limit", "-1", "greater_than_equal"),
        ("limit", "101", "less_than_equal"),
        ("limit", "9999999999999999999999999999999999999999999", "int_parsing_size"),
        ("language", "python", "enum"),
    ];
    for (name, text, kind) in cases {
        let faults = paging(&[(name, text)]).unwrap_err();
        assert_eq!(faults.len(), 1);
        assert_eq!((faults[0].kind, &faults[0].loc), (kind, &vec!["query".into(), name.into()]), "{text}");
    }
    assert_eq!(paging(&[("limit", "0"), ("language", "")]).unwrap_err().len(), 2);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (1..900i64).prop_map(Value::from),
        ".{0,6}".prop_map(Value::from),
        Just(Value::from("PYTHON")),
        Just(Value::from("9c5b94b1-35ad-49bb-b118-8e8fc24abf80")),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[a-c]", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

const NAMES: [&str; 12] = [
    "name",
    "endpoint",
    "language",
    "other_language",
    "workspace_id",
    "timeout",
    "public",
    "environment",
    "tags",
    "ratio",
    "big",
    "anything",
];

proptest! {
    /// What the rules let through, serde reads: never a `value_error` of [`read`].
    #[test]
    fn rules_and_types_agree(values in proptest::collection::btree_map(0..NAMES.len(), any_json(), 0..6), whole in any_json()) {
        let body_of = |value| body::<Create>(value).err().unwrap_or_default();
        let mixed = with(values.into_iter().map(|(name, value)| (NAMES[name].to_owned(), value)).collect());
        for fault in body_of(mixed).into_iter().chain(body_of(whole)) {
            prop_assert!(!fault.msg.starts_with("Value error, "), "{fault:?}");
        }
    }
}
