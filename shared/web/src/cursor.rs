//! Cursors of lists: opaque to callers, and good only for the caller and the list that they were made for.
//!
//! A cursor is `base64url(tag | position)`; the tag is an HMAC over the caller, the list and the position.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use domain::Kind;
use ports::Position;
use subtle::ConstantTimeEq;

use crate::{Caller, Result, Secrets};

/// Bytes of the tag.
const TAG: usize = 16;
/// The longest cursor that is looked at, in characters. Ours are under 500.
const MAX_CURSOR: usize = 4096;

/// A list of one caller: names everything that the items of its pages depend on.
///
/// ```text
/// let list = Cursors::new(&web.secrets, caller, &["functions.jobs", &function_id.to_string(), status]);
/// let after = list.open(query.cursor.as_deref())?;
/// let (jobs, next) = …;
/// json!({ "jobs": jobs, "next_cursor": list.seal(next.as_ref())? })
/// ```
pub struct Cursors<'a> {
    secrets: &'a Secrets,
    /// The caller, then what names the list.
    list: Vec<String>,
}

impl<'a> Cursors<'a> {
    /// Of a caller's list: the operation, the ids in its path, its filters.
    pub fn new(secrets: &'a Secrets, caller: Caller, list: &[&str]) -> Self {
        let caller = caller.user_id.to_string();
        let list = std::iter::once(caller).chain(list.iter().map(|part| (*part).to_owned())).collect();
        Self { secrets, list }
    }

    /// The cursor of where a page ended; `None` at the end of the list.
    pub fn seal(&self, position: Option<&Position>) -> Result<Option<String>> {
        let Some(position) = position else { return Ok(None) };
        let position = serde_json::to_vec(position).map_err(domain::Error::internal)?;
        let tag = self.tags(&position).first().copied().unwrap_or_default();
        Ok(Some(BASE64.encode([&tag[..TAG], &position].concat())))
    }

    /// Where to go on; `None` without a cursor.
    ///
    /// # Errors
    /// 400 for anything that isn't a cursor of this caller's list.
    pub fn open(&self, cursor: Option<&str>) -> Result<Option<Position>> {
        let Some(cursor) = cursor else { return Ok(None) };
        let position = self.verified(cursor);
        let invalid = || domain::Error::new(Kind::BadRequest, "INVALID_CURSOR", "Invalid cursor");
        position.map(Some).ok_or_else(|| invalid().into())
    }

    fn verified(&self, cursor: &str) -> Option<Position> {
        if cursor.len() > MAX_CURSOR {
            return None;
        }
        let bytes = BASE64.decode(cursor).ok()?;
        let (tag, position) = bytes.split_at_checked(TAG)?;
        let is_ours = self.tags(position).iter().any(|ours| ours[..TAG].ct_eq(tag).into());
        is_ours.then(|| serde_json::from_slice(position).ok()).flatten()
    }

    /// The tag under the current secret, and under those before it.
    fn tags(&self, position: &[u8]) -> Vec<[u8; 32]> {
        let mut parts = vec![b"cursor".as_slice()];
        parts.extend(self.list.iter().map(String::as_bytes));
        parts.push(position);
        self.secrets.all().map(|secret| secret.derive(&parts)).collect()
    }
}

#[cfg(test)]
mod tests {
    use domain::UserId;
    use ports::Key;
    use proptest::prelude::*;

    use super::*;

    const OLD: &str = "an old secret, which is long enough for us";
    const NEW: &str = "the new secret, which is long enough for us";

    fn secrets(current: &str, previous: &[&str]) -> Secrets {
        Secrets::new(current, previous.iter().copied()).unwrap()
    }

    fn caller(id: u64) -> Caller {
        Caller { user_id: UserId(id) }
    }

    fn position() -> Position {
        Position { key: Key::new("USER#1", "WORKSPACE#2"), index: Some(Key::new("a", "b")) }
    }

    #[test]
    fn a_cursor_is_good_for_its_caller_and_list_only() {
        let secret = secrets(OLD, &[]);
        let list = Cursors::new(&secret, caller(1), &["jobs", "f", "success"]);
        let cursor = list.seal(Some(&position())).unwrap().unwrap();
        assert_eq!(list.open(Some(&cursor)).unwrap(), Some(position()));
        assert_eq!((list.open(None).unwrap(), list.seal(None).unwrap()), (None, None));
        let rotated = secrets(NEW, &[OLD]);
        assert!(Cursors::new(&rotated, caller(1), &["jobs", "f", "success"]).open(Some(&cursor)).is_ok());
        let other = secrets(NEW, &[]);
        for wrong in [
            Cursors::new(&secret, caller(2), &["jobs", "f", "success"]),
            Cursors::new(&secret, caller(1), &["jobs", "f", "error"]),
            Cursors::new(&secret, caller(1), &["jobs", "fs", "uccess"]),
            Cursors::new(&secret, caller(1), &["jobs", "f"]),
            Cursors::new(&other, caller(1), &["jobs", "f", "success"]),
        ] {
            let error = wrong.open(Some(&cursor)).unwrap_err().0;
            assert_eq!((error.kind, error.message.as_str()), (Kind::BadRequest, "Invalid cursor"));
        }
    }

    proptest! {
        #[test]
        fn anything_else_is_refused(text in ".{0,80}", at in 0usize..200, byte in "[A-Za-z0-9_-]") {
            let secret = secrets(OLD, &[]);
            let list = Cursors::new(&secret, caller(1), &["jobs"]);
            prop_assert!(list.open(Some(&text)).is_err());
            let cursor = list.seal(Some(&position())).unwrap().unwrap();
            let mut changed = cursor.clone();
            let at = at % changed.len();
            changed.replace_range(at..=at, &byte);
            prop_assert!(changed == cursor || list.open(Some(&changed)).is_err());
        }
    }
}
