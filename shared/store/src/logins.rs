//! How often a password was wrong, in windows that begin with the first time.

use std::time::Duration;

use domain::{Result, Timestamp, limits};
use ports::{Change, Check, Condition, Durability, Item, Key, TableError, Write};

use crate::{Store, keys};

impl Store {
    /// Counts one try against the limits of its name and source, before it is known to be right or wrong, so that many
    /// at once can't get around them. `Err(wait)` when it is one too many.
    pub async fn count_login(
        &self,
        source: &str,
        username: &str,
        now: Timestamp,
    ) -> Result<std::result::Result<(), Duration>> {
        let source_key = keys::login(source, None);
        if let Err(wait) = self.count(source_key.clone(), limits::WRONG_PASSWORDS_PER_SOURCE, now).await? {
            return Ok(Err(wait));
        }
        let counted =
            self.count(keys::login(source, Some(username)), limits::WRONG_PASSWORDS_PER_NAME, now).await?;
        if counted.is_err() {
            self.uncount(source_key).await?;
        }
        Ok(counted)
    }

    /// Takes a try back: the password was right.
    pub async fn uncount_login(&self, source: &str, username: &str) -> Result<()> {
        self.uncount(keys::login(source, Some(username))).await?;
        self.uncount(keys::login(source, None)).await
    }

    async fn count(&self, key: Key, limit: u64, now: Timestamp) -> Result<std::result::Result<(), Duration>> {
        let window = limits::WRONG_PASSWORD_WINDOW;
        let (now_ms, limit) = (now.as_millis(), i64::try_from(limit).unwrap_or(i64::MAX));
        let open = i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
        loop {
            let Some(item) = self.table.get(&key).await? else {
                match self.put(fresh_window(key.clone(), now), Condition::Absent).await {
                    Err(TableError::Condition { .. }) => continue,
                    other => return Ok(Ok(other?)),
                }
            };
            let number =
                |name: &str| item.attributes.get(name).and_then(serde_json::Value::as_i64).unwrap_or(0);
            let (began, tries) = (number("began"), number("tries"));
            let same_window = Condition::Present(vec![Check::Equals("began", began.into())]);
            if began + open <= now_ms {
                match self.put(fresh_window(key.clone(), now), same_window).await {
                    Err(TableError::Condition { .. }) => continue,
                    other => return Ok(Ok(other?)),
                }
            }
            if tries >= limit {
                let left = u64::try_from(began + open - now_ms).unwrap_or(1);
                return Ok(Err(Duration::from_millis(left.max(1))));
            }
            let room = Condition::Present(vec![
                Check::Equals("began", began.into()),
                Check::LessOrMissing("tries", limit),
            ]);
            match self.table.update(key.clone(), vec![Change::Add("tries".into(), 1)], room).await {
                Err(TableError::Condition { .. }) => continue,
                other => return Ok(Ok(other.map(drop)?)),
            }
        }
    }

    async fn uncount(&self, key: Key) -> Result<()> {
        let write = Write::Update(key, vec![Change::Add("tries".into(), -1)], Condition::Present(vec![]));
        match self.table.write(vec![write], Durability::Crash).await {
            // It expired meanwhile: nothing is left to take back.
            Err(TableError::Condition { .. }) => Ok(()),
            other => Ok(other?),
        }
    }
}

fn fresh_window(key: Key, now: Timestamp) -> Item {
    let mut item = Item::new(key);
    item.attributes.insert("began".into(), now.as_millis().into());
    item.attributes.insert("tries".into(), 1.into());
    item.ttl = Some((now + limits::WRONG_PASSWORD_WINDOW).as_seconds() + 1);
    item
}
