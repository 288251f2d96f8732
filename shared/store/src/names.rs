//! Claims to names: an item at the key that a name folds to, so that no two records of one place have names that count
//! as the same.
//!
//! Names were once compared by their lower case alone. A record from then has a claim at that key and no `name_key`. When
//! its owner's things are counted for the first time it gets a claim of today, unless another record's name folds to the
//! same; then it keeps its old claim until it is renamed, and a new name is checked against that, too.

use domain::text::name_key;
use ports::{Condition, Key, Write};

/// What the claim of a record with this name is called.
pub(crate) fn held(name: &str, name_key: Option<&str>) -> String {
    name_key.map_or_else(|| lower_case(name), str::to_owned)
}

/// The check that no record from when names were compared by their lower case has this name; `None` where a claim of
/// today says it. `own` is what the renamed record's own claim is called.
pub(crate) fn check(at: impl FnOnce(&str) -> Key, name: &str, own: Option<&str>) -> Option<Write> {
    let before = lower_case(name);
    let differs = before != name_key(name) && own != Some(before.as_str());
    differs.then(|| Write::Check(at(&before), Condition::Absent))
}

/// What a claim from before, called this, is called today; `None` of one that is the same.
pub(crate) fn renewed(claim: &str) -> Option<String> {
    Some(name_key(claim)).filter(|key| key != claim)
}

fn lower_case(name: &str) -> String {
    name.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_from_before_are_found_where_they_are() {
        assert_eq!(held("Straße", None), "straße");
        assert_eq!(held("Straße", Some("strasse")), "strasse");
        let check = |name, own| check(|name| Key::new("p", name), name, own).is_some();
        assert!(!check("Blog", None), "both kinds of claim have one key");
        assert!(check("Straße", None));
        assert!(!check("Straße", Some("straße")), "its own is no other's");
    }
}
