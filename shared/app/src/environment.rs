//! Environment variables: what they may be, and how their values stay with us.

use std::collections::BTreeMap;

use domain::fault::Content;
use domain::function::RESERVED_ENVIRONMENT;
use domain::{Attribute, Fault, Rule, limits};

/// What every value is shown as.
pub const MASK: &str = "***";

/// Who reads a function and writes it back sends the mask for the values that they were not shown: those stay.
pub(crate) fn keep_masked(new: &mut Option<BTreeMap<String, String>>, stored: &BTreeMap<String, String>) {
    for (key, value) in new.iter_mut().flatten().filter(|(_, value)| *value == MASK) {
        if let Some(known) = stored.get(key) {
            value.clone_from(known);
        }
    }
}

/// What is wrong with an environment that a schema can't say.
pub(crate) fn faults(environment: &BTreeMap<String, String>) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (key, value) in environment {
        let mut identifier = key.bytes();
        let is_identifier = identifier.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
            && identifier.all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let mut breaks = |rule| faults.push(Fault::new(Attribute::Variable(key.clone()), rule));
        if !is_identifier {
            breaks(Rule::VariableName);
        } else if RESERVED_ENVIRONMENT.contains(&key.as_str()) {
            breaks(Rule::UnreservedName);
        }
        if value.contains('\0') {
            breaks(Rule::VariableValue);
        }
    }
    let count: usize = environment.iter().map(|(key, value)| key.len() + value.len()).sum();
    if count > limits::ENVIRONMENT {
        let rule = Rule::MaxBytes { of: Content::Environment, max: limits::ENVIRONMENT, count };
        faults.push(Fault::new(Attribute::Environment, rule));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
    }

    #[test]
    fn what_comes_back_masked_stays() {
        let stored = environment(&[("KEPT", "secret"), ("CHANGED", "old"), ("GONE", "x")]);
        let mut new = Some(environment(&[("KEPT", MASK), ("CHANGED", "new"), ("LITERAL", MASK)]));
        keep_masked(&mut new, &stored);
        assert_eq!(new, Some(environment(&[("KEPT", "secret"), ("CHANGED", "new"), ("LITERAL", MASK)])));
    }
}
