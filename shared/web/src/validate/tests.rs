use std::collections::BTreeMap;

use domain::fault::{Bound, Collection, Scalar, Type};
use domain::{Field, Step};
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
        reserved.map(|_| Fault::new(Field::body("endpoint"), Rule::UnreservedName)).into_iter().collect()
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

fn faults(value: Value) -> Vec<Fault> {
    body::<Create>(value).unwrap_err()
}

/// The rule that a field breaks; nothing else is wrong.
fn broken(name: &str, value: Value) -> Rule {
    let mut faults = faults(with(json!({ name: value })));
    let fault = faults.pop().filter(|fault| fault.field == Field::body(name));
    assert!(faults.is_empty(), "{faults:?}");
    fault.unwrap_or_else(|| panic!("{name} is not at fault")).rule
}

#[test]
fn all_faults_come_at_once_and_never_echo_the_input() {
    let body =
        json!({ "name": "secret-secret", "language": "RUBY", "timeout": "secret", "endpoint": "/admin" });
    let found = faults(body);
    let expected = [
        ("name", Rule::MaxLength(5)),
        ("language", Rule::OneOf(vec!["PYTHON".to_owned(), "NODEJS".to_owned()])),
        ("workspace_id", Rule::Required),
        ("timeout", Rule::Parse(Scalar::Integer)),
        ("endpoint", Rule::UnreservedName),
    ];
    assert_eq!(found, expected.map(|(name, rule)| Fault::new(Field::body(name), rule)));
    assert!(!format!("{found:?}").contains("secret"));
}

#[test]
fn each_rule_of_a_schema_is_checked() {
    let languages = || Rule::OneOf(vec!["PYTHON".to_owned(), "NODEJS".to_owned()]);
    let items = |count| match count {
        0 => Rule::MinItems { of: Collection::List, min: 1, count },
        _ => Rule::MaxItems { of: Collection::List, max: 2, count },
    };
    let cases = [
        ("name", json!(1), Rule::Type(Type::Text)),
        ("name", json!(null), Rule::Type(Type::Text)),
        ("name", json!(" \u{3000}\n"), Rule::MinLength(1)),
        ("name", json!("한글한글한글"), Rule::MaxLength(5)),
        ("name", json!("a\0"), Rule::NameCharacter('\0')),
        ("endpoint", json!("a"), Rule::Pattern("begin with a slash".to_owned())),
        ("other_language", json!(3), languages()),
        ("workspace_id", json!(7), Rule::Type(Type::Uuid)),
        ("workspace_id", json!("abc"), Rule::Uuid { reason: "invalid length: found 3".to_owned() }),
        ("timeout", json!(true), Rule::Type(Type::Integer)),
        ("timeout", json!("30"), Rule::Type(Type::Integer)),
        ("timeout", json!(1.5), Rule::Whole),
        ("timeout", json!(0), Rule::Minimum(Bound::Integer(1))),
        ("timeout", json!(901), Rule::Maximum(Bound::Integer(900))),
        ("timeout", json!(1e300), Rule::IntegerSize),
        ("public", json!("maybe"), Rule::Parse(Scalar::Boolean)),
        ("public", json!([]), Rule::Type(Type::Boolean)),
        ("environment", json!([]), Rule::Type(Type::Map)),
        ("tags", json!("x"), Rule::Type(Type::List)),
        ("tags", json!([]), items(0)),
        ("tags", json!(["a", "b", "c"]), items(3)),
        ("ratio", json!("1"), Rule::Type(Type::Number)),
        ("ratio", json!(2), Rule::Maximum(Bound::Number(1.0))),
        ("big", json!(-1), Rule::Minimum(Bound::Integer(0))),
    ];
    for (name, value, rule) in cases {
        assert_eq!(broken(name, value.clone()), rule, "{name}: {value}");
    }
    for value in [json!([]), json!("text"), json!(1)] {
        assert_eq!(faults(value), [Fault::new(Part::Body, Rule::Type(Type::Object))]);
    }
    assert_eq!(faults(json!(null)), [Fault::new(Part::Body, Rule::Required)]);
    let nested = faults(with(json!({ "environment": {"A": 1}, "tags": ["a", 2] })));
    let places = [vec!["environment".into(), "A".into()], vec!["tags".into(), Step::Index(1)]];
    assert_eq!(
        nested,
        places.map(|steps| Fault::new(Field::Request(Part::Body, steps), Rule::Type(Type::Text)))
    );
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
    params(Part::Query, pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())))
}

#[test]
fn parameters_are_text_that_reads_as_something() {
    let read = paging(&[("limit", "5"), ("limit", "7"), ("cursor", "12"), ("x", "y")]).unwrap();
    assert_eq!((read.limit, read.cursor.as_deref()), (Some(7), Some("12")));
    assert_eq!(paging(&[("language", "PYTHON")]).unwrap().language, Some(Language::Python));
    let cases = [
        ("limit", "", Rule::Parse(Scalar::Integer)),
        ("limit", "x", Rule::Parse(Scalar::Integer)),
        ("limit", "1.5", Rule::Parse(Scalar::Integer)),
        ("limit", "0", Rule::Minimum(Bound::Integer(1))),
        ("limit", "-1", Rule::Minimum(Bound::Integer(1))),
        ("limit", "101", Rule::Maximum(Bound::Integer(100))),
        ("limit", "9999999999999999999999999999999999999999999", Rule::IntegerSize),
        ("language", "python", Rule::OneOf(vec!["PYTHON".to_owned(), "NODEJS".to_owned()])),
    ];
    for (name, text, rule) in cases {
        assert_eq!(paging(&[(name, text)]).unwrap_err(), [Fault::new(Field::query(name), rule)], "{text}");
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
    /// What the schemas let through, serde reads: never [`Rule::Readable`] of [`read`].
    #[test]
    fn schemas_and_types_agree(values in proptest::collection::btree_map(0..NAMES.len(), any_json(), 0..6), whole in any_json()) {
        let body_of = |value| body::<Create>(value).err().unwrap_or_default();
        let mixed = with(values.into_iter().map(|(name, value)| (NAMES[name].to_owned(), value)).collect());
        for fault in body_of(mixed).into_iter().chain(body_of(whole)) {
            prop_assert_ne!(fault.rule, Rule::Readable);
        }
    }
}
