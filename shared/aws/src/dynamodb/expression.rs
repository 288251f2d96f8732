//! Conditions and changes as DynamoDB's expressions. Every name and value stands behind a placeholder (an attribute may
//! be called `status` or `h.3`, which mean something else in an expression), and every placeholder is used: DynamoDB
//! refuses one that isn't.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use ports::{Change, Check, Condition, Key, Query, Sort, TableError};
use serde_json::Value;

use super::item::{GSI1, GSI2, TTL, check_name, key_to_wire, value_to_wire};

/// The most operands that DynamoDB takes of one `IN`.
const MAX_OPERANDS: usize = 100;

/// What the placeholders stand for.
#[derive(Debug, Default)]
pub(super) struct Placeholders {
    names: BTreeMap<String, String>,
    values: HashMap<String, AttributeValue>,
}

impl Placeholders {
    fn name(&mut self, attribute: &str) -> String {
        let next = format!("#n{}", self.names.len());
        self.names.entry(attribute.to_owned()).or_insert(next).clone()
    }

    fn value(&mut self, value: AttributeValue) -> String {
        let placeholder = format!(":v{}", self.values.len());
        self.values.insert(placeholder.clone(), value);
        placeholder
    }

    /// As `ExpressionAttributeNames`; absent where there are none, since an empty map is refused.
    pub(super) fn names(&self) -> Option<HashMap<String, String>> {
        let names: HashMap<_, _> =
            self.names.iter().map(|(attribute, name)| (name.clone(), attribute.clone())).collect();
        (!names.is_empty()).then_some(names)
    }

    /// As `ExpressionAttributeValues`; absent where there are none.
    pub(super) fn into_values(self) -> Option<HashMap<String, AttributeValue>> {
        (!self.values.is_empty()).then_some(self.values)
    }
}

/// A `ConditionExpression`, if there is anything to say.
pub(super) fn condition(condition: &Condition, to: &mut Placeholders) -> Result<Option<String>, TableError> {
    let checks = match condition {
        Condition::None => return Ok(None),
        Condition::Absent => return Ok(Some("attribute_not_exists(PK)".to_owned())),
        Condition::Present(checks) => checks,
    };
    let mut terms = vec!["attribute_exists(PK)".to_owned()];
    for check in checks {
        terms.push(match check {
            Check::Equals(name, value) => {
                format!("{} = {}", checked_name(name, to)?, to.value(value_to_wire(value.clone())?))
            }
            Check::OneOf(name, values) => one_of(name, values, to)?,
            Check::LessOrMissing(name, bound) => {
                let name = checked_name(name, to)?;
                let bound = to.value(AttributeValue::N(bound.to_string()));
                format!("(attribute_not_exists({name}) OR {name} < {bound})")
            }
        });
    }
    Ok(Some(terms.join(" AND ")))
}

fn one_of(name: &str, values: &[Value], to: &mut Placeholders) -> Result<String, TableError> {
    if values.is_empty() {
        // `IN ()` is no expression; nothing is one of none. Beside attribute_exists(PK) this never holds.
        return Ok("attribute_not_exists(PK)".to_owned());
    }
    let name = checked_name(name, to)?;
    let mut terms = Vec::new();
    for values in values.chunks(MAX_OPERANDS) {
        let mut operands = Vec::with_capacity(values.len());
        for value in values {
            operands.push(to.value(value_to_wire(value.clone())?));
        }
        terms.push(format!("{name} IN ({})", operands.join(", ")));
    }
    Ok(format!("({})", terms.join(" OR ")))
}

fn checked_name(name: &str, to: &mut Placeholders) -> Result<String, TableError> {
    check_name(name)?;
    Ok(to.name(name))
}

/// What becomes of one attribute.
enum Action {
    Set(AttributeValue),
    Add(i64),
    Remove,
}

/// An `UpdateExpression`, if there is anything to change.
///
/// Changes are made one after the other, but an expression may name an attribute once: changes of one attribute are made
/// one here. An `Add` that leads beyond 64 bits is not noticed; DynamoDB counts to 38 digits.
pub(super) fn update(changes: Vec<Change>, to: &mut Placeholders) -> Result<Option<String>, TableError> {
    let (mut sets, mut adds, mut removes) = (Vec::new(), Vec::new(), Vec::new());
    for (attribute, action) in actions(changes)? {
        let name = to.name(&attribute);
        match action {
            Action::Set(value) => sets.push(format!("{name} = {}", to.value(value))),
            Action::Add(n) => adds.push(format!("{name} {}", to.value(AttributeValue::N(n.to_string())))),
            Action::Remove => removes.push(name),
        }
    }
    let clauses: Vec<_> = [("SET", sets), ("ADD", adds), ("REMOVE", removes)]
        .into_iter()
        .filter(|(_, parts)| !parts.is_empty())
        .map(|(clause, parts)| format!("{clause} {}", parts.join(", ")))
        .collect();
    Ok((!clauses.is_empty()).then(|| clauses.join(" ")))
}

/// An expression that changes nothing, where one must be there: no attribute can have this name.
pub(super) fn no_update(to: &mut Placeholders) -> String {
    format!("REMOVE {}", to.name("-"))
}

fn actions(changes: Vec<Change>) -> Result<BTreeMap<String, Action>, TableError> {
    let mut actions = BTreeMap::new();
    for change in changes {
        match change {
            Change::Set(name, value) => {
                check_name(&name)?;
                actions.insert(name, Action::Set(value_to_wire(value)?));
            }
            Change::Remove(name) => {
                check_name(&name)?;
                actions.insert(name, Action::Remove);
            }
            Change::Add(name, n) => {
                check_name(&name)?;
                let action = add(actions.remove(&name), n)?;
                actions.insert(name, action);
            }
            Change::Gsi1(place) => place_actions(&mut actions, GSI1, place)?,
            Change::Gsi2(place) => place_actions(&mut actions, GSI2, place)?,
            Change::Ttl(ttl) => {
                let action =
                    ttl.map_or(Action::Remove, |ttl| Action::Set(AttributeValue::N(ttl.to_string())));
                actions.insert(TTL.to_owned(), action);
            }
        }
    }
    Ok(actions)
}

fn add(before: Option<Action>, n: i64) -> Result<Action, TableError> {
    let sum = |a: i64| a.checked_add(n).ok_or_else(|| TableError::Broken("Add beyond 64 bits".into()));
    Ok(match before {
        None => Action::Add(n),
        Some(Action::Add(m)) => Action::Add(sum(m)?),
        Some(Action::Remove) => Action::Set(AttributeValue::N(n.to_string())),
        Some(Action::Set(AttributeValue::N(m))) => {
            let m = m.parse().map_err(|_| TableError::Broken("Add to what is no 64-bit integer".into()))?;
            Action::Set(AttributeValue::N(sum(m)?.to_string()))
        }
        Some(Action::Set(_)) => return Err(TableError::Broken("Add to what is no integer".into())),
    })
}

fn place_actions(
    actions: &mut BTreeMap<String, Action>,
    names: (&str, &str),
    place: Option<Key>,
) -> Result<(), TableError> {
    match place {
        Some(place) => {
            actions.extend(
                key_to_wire(&place, names)?.into_iter().map(|(name, value)| (name, Action::Set(value))),
            );
        }
        None => actions.extend([names.0, names.1].map(|name| (name.to_owned(), Action::Remove))),
    }
    Ok(())
}

/// A `KeyConditionExpression`; `None` where nothing can lie in the range asked for, which DynamoDB would refuse to
/// look for.
pub(super) fn key_condition(query: &Query, (pk, sk): (&str, &str), to: &mut Placeholders) -> Option<String> {
    if query.partition.is_empty() {
        return None;
    }
    let mut text = |value: &str| to.value(AttributeValue::S(value.to_owned()));
    let partition = format!("{pk} = {}", text(&query.partition));
    let sort = match &query.sort {
        Sort::All => return Some(partition),
        Sort::Prefix(prefix) if prefix.is_empty() => return Some(partition),
        Sort::Prefix(prefix) => format!("begins_with({sk}, {})", text(prefix)),
        Sort::Between(from, to) if from > to || to.is_empty() => return None,
        Sort::Between(from, to) if from.is_empty() => format!("{sk} <= {}", text(to)),
        Sort::Between(from, to) => format!("{sk} BETWEEN {} AND {}", text(from), text(to)),
    };
    Some(format!("{partition} AND {sort}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The expression with its placeholders replaced, and proof that none is left over.
    fn spelled(expression: &str, placeholders: Placeholders) -> String {
        let mut text = expression.to_owned();
        let names = placeholders.names().unwrap_or_default();
        let values = placeholders.into_values().unwrap_or_default();
        for (placeholder, meaning) in
            names.into_iter().chain(values.into_iter().map(|(placeholder, value)| {
                (placeholder, format!("{:?}", serde_dynamo::from_attribute_value::<_, Value>(value).unwrap()))
            }))
        {
            assert!(text.contains(&placeholder), "{placeholder} is not used in {expression}");
            // Longest first is not needed: no test has ten of a kind.
            text = text.replace(&placeholder, &meaning);
        }
        assert!(!text.contains(['#', ':']), "{text}");
        text
    }

    fn spelled_condition(what: Condition) -> Option<String> {
        let mut to = Placeholders::default();
        condition(&what, &mut to).unwrap().map(|expression| spelled(&expression, to))
    }

    fn spelled_update(changes: Vec<Change>) -> Option<String> {
        let mut to = Placeholders::default();
        update(changes, &mut to).unwrap().map(|expression| spelled(&expression, to))
    }

    #[test]
    fn conditions() {
        assert_eq!(spelled_condition(Condition::None), None);
        assert_eq!(spelled_condition(Condition::Absent).unwrap(), "attribute_not_exists(PK)");
        assert_eq!(spelled_condition(Condition::Present(vec![])).unwrap(), "attribute_exists(PK)");
        let checks = vec![
            Check::Equals("status", json!("pending")),
            Check::OneOf("n", vec![json!(1), json!(true)]),
            Check::LessOrMissing("n", -5),
        ];
        assert_eq!(
            spelled_condition(Condition::Present(checks)).unwrap(),
            "attribute_exists(PK) AND status = String(\"pending\") AND (n IN (Number(1), Bool(true))) \
             AND (attribute_not_exists(n) OR n < Number(-5))"
        );
    }

    #[test]
    fn nothing_is_one_of_none() {
        let checks = vec![Check::OneOf("a", vec![])];
        assert_eq!(
            spelled_condition(Condition::Present(checks)).unwrap(),
            "attribute_exists(PK) AND attribute_not_exists(PK)"
        );
    }

    #[test]
    fn one_of_many_is_split_where_dynamodb_ends() {
        let mut to = Placeholders::default();
        let checks = vec![Check::OneOf("a", (0..150).map(Value::from).collect())];
        let text = condition(&Condition::Present(checks), &mut to).unwrap().unwrap();
        assert_eq!(text.matches(" IN ").count(), 2);
        assert_eq!(to.into_values().unwrap().len(), 150);
    }

    #[test]
    fn changes_of_one_attribute_become_one() {
        assert_eq!(spelled_update(vec![]), None);
        let changes = vec![
            Change::Set("a".into(), json!(1)),
            Change::Add("a".into(), 2),
            Change::Add("b".into(), 3),
            Change::Add("b".into(), -1),
            Change::Remove("c".into()),
            Change::Add("c".into(), 7),
            Change::Set("d".into(), json!("x")),
            Change::Remove("d".into()),
            Change::Ttl(None),
        ];
        assert_eq!(
            spelled_update(changes).unwrap(),
            "SET a = Number(3), c = Number(7) ADD b Number(2) REMOVE d, ttl"
        );
        let mut to = Placeholders::default();
        assert!(
            update(vec![Change::Set("a".into(), json!("x")), Change::Add("a".into(), 1)], &mut to).is_err()
        );
    }

    #[test]
    fn index_places_are_set_and_taken_away() {
        assert_eq!(
            spelled_update(vec![Change::Gsi1(Some(Key::new("p", "s"))), Change::Gsi2(None)]).unwrap(),
            "SET GSI1PK = String(\"p\"), GSI1SK = String(\"s\") REMOVE GSI2PK, GSI2SK"
        );
    }

    #[test]
    fn ranges() {
        let ask = |sort| {
            let mut to = Placeholders::default();
            let query = Query { sort, ..Query::partition("p", 1) };
            key_condition(&query, ("PK", "SK"), &mut to).map(|expression| spelled(&expression, to))
        };
        assert_eq!(ask(Sort::All).unwrap(), "PK = String(\"p\")");
        assert_eq!(ask(Sort::Prefix(String::new())).unwrap(), "PK = String(\"p\")");
        assert_eq!(
            ask(Sort::Prefix("a".into())).unwrap(),
            "PK = String(\"p\") AND begins_with(SK, String(\"a\"))"
        );
        assert_eq!(
            ask(Sort::Between("a".into(), "b".into())).unwrap(),
            "PK = String(\"p\") AND SK BETWEEN String(\"a\") AND String(\"b\")"
        );
        assert_eq!(
            ask(Sort::Between(String::new(), "b".into())).unwrap(),
            "PK = String(\"p\") AND SK <= String(\"b\")"
        );
        assert_eq!(ask(Sort::Between("b".into(), "a".into())), None);
        assert_eq!(ask(Sort::Between(String::new(), String::new())), None);
    }
}
