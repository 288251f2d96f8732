//! How often a password was wrong, and how often somebody registered, in windows that begin with the first time.
//!
//! A login is counted before its password is looked at, so that many at once can't get around the limit, and again when
//! it turns out wrong. One that turns out right is taken back. So `tries` less `wrong` is how many are not decided yet.

use std::time::Duration;

use domain::{Result, Timestamp, limits};
use ports::{Change, Check, Condition, Durability, Item, Key, TableError, Write};

use crate::{Store, keys};

/// A login that was counted and is not decided yet.
#[derive(Debug)]
pub struct Try([Counted; 2]);

/// The window in which something was counted.
#[derive(Debug)]
struct Counted {
    key: Key,
    began: i64,
}

/// Something was not counted, since there is no room for one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// When the window is over.
    pub wait: Duration,
    /// Whether there may be room before that, since some logins are not decided yet.
    pub undecided: bool,
}

impl Store {
    /// Counts a login against the limits of its name and source, before it is known to be right or wrong.
    pub async fn begin_login(
        &self,
        source: &str,
        username: &str,
        now: Timestamp,
    ) -> Result<std::result::Result<Try, Full>> {
        let of_source = keys::login(source, None);
        let of_source = match self.count(of_source, limits::WRONG_PASSWORDS_PER_SOURCE, now).await? {
            Ok(counted) => counted,
            Err(full) => return Ok(Err(full)),
        };
        let of_name = keys::login(source, Some(username));
        match self.count(of_name, limits::WRONG_PASSWORDS_PER_NAME, now).await? {
            Ok(of_name) => Ok(Ok(Try([of_name, of_source]))),
            Err(full) => {
                self.change(of_source, "tries", -1).await?;
                Ok(Err(full))
            }
        }
    }

    /// Says that a login's password was right or wrong.
    pub async fn end_login(&self, Try(counted): Try, right: bool) -> Result<()> {
        for window in counted {
            match right {
                true => self.change(window, "tries", -1).await?,
                false => self.change(window, "wrong", 1).await?,
            }
        }
        Ok(())
    }

    /// Counts a registration against the limit of its source. `Err(wait)` when it is one too many.
    pub async fn count_registration(
        &self,
        source: &str,
        limit: u64,
        now: Timestamp,
    ) -> Result<std::result::Result<(), Duration>> {
        let counted = self.count(keys::registrations(source), limit, now).await?;
        Ok(counted.map(drop).map_err(|full| full.wait))
    }

    async fn count(
        &self,
        key: Key,
        limit: u64,
        now: Timestamp,
    ) -> Result<std::result::Result<Counted, Full>> {
        let (now_ms, limit) = (now.as_millis(), i64::try_from(limit).unwrap_or(i64::MAX));
        let open = i64::try_from(limits::COUNTING_WINDOW.as_millis()).unwrap_or(i64::MAX);
        let counted = |began| Ok(Ok(Counted { key: key.clone(), began }));
        loop {
            let Some(item) = self.table.get(&key).await? else {
                match self.put(fresh_window(key.clone(), now), Condition::Absent).await {
                    Err(TableError::Condition { .. }) => continue,
                    other => other?,
                }
                return counted(now_ms);
            };
            let number =
                |name: &str| item.attributes.get(name).and_then(serde_json::Value::as_i64).unwrap_or(0);
            let (began, tries, wrong) = (number("began"), number("tries"), number("wrong"));
            let same_window = Check::Equals("began", began.into());
            if began + open <= now_ms {
                let same_window = Condition::Present(vec![same_window]);
                match self.put(fresh_window(key.clone(), now), same_window).await {
                    Err(TableError::Condition { .. }) => continue,
                    other => other?,
                }
                return counted(now_ms);
            }
            if tries >= limit {
                let left = u64::try_from(began + open - now_ms).unwrap_or(1);
                let wait = Duration::from_millis(left.max(1));
                return Ok(Err(Full { wait, undecided: wrong < limit }));
            }
            let room = Condition::Present(vec![same_window, Check::LessOrMissing("tries", limit)]);
            match self.table.update(key.clone(), vec![Change::Add("tries".into(), 1)], room).await {
                Err(TableError::Condition { .. }) => continue,
                other => other.map(drop)?,
            }
            return counted(began);
        }
    }

    /// Adds to a number of a window, unless that is over: then nothing is left to correct.
    async fn change(&self, Counted { key, began }: Counted, name: &str, by: i64) -> Result<()> {
        let same_window = Condition::Present(vec![Check::Equals("began", began.into())]);
        let write = Write::Update(key, vec![Change::Add(name.into(), by)], same_window);
        match self.table.write(vec![write], Durability::Crash).await {
            Err(TableError::Condition { .. }) => Ok(()),
            other => Ok(other?),
        }
    }
}

fn fresh_window(key: Key, now: Timestamp) -> Item {
    let mut item = Item::new(key);
    item.attributes.insert("began".into(), now.as_millis().into());
    item.attributes.insert("tries".into(), 1.into());
    item.ttl = Some((now + limits::COUNTING_WINDOW).as_seconds() + 1);
    item
}
