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

/// A window with room for one more, as it was read, and the write that takes it.
#[derive(Debug)]
struct Room {
    counted: Counted,
    write: Write,
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
        let of_name = (keys::login(source, Some(username)), limits::WRONG_PASSWORDS_PER_NAME);
        let of_source = (keys::login(source, None), limits::WRONG_PASSWORDS_PER_SOURCE);
        loop {
            // Both are read before either is written, so that one who waits for room writes nothing.
            let name = match self.room(&of_name, now).await? {
                Ok(room) => room,
                Err(full) => return Ok(Err(full)),
            };
            let source = match self.room(&of_source, now).await? {
                Ok(room) => room,
                Err(full) => return Ok(Err(full)),
            };
            let Some(name) = self.take(name).await? else { continue };
            match self.take(source).await? {
                Some(source) => return Ok(Ok(Try([name, source]))),
                None => self.change(name, "tries", -1).await?,
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
        let window = (keys::registrations(source), limit);
        loop {
            let room = match self.room(&window, now).await? {
                Ok(room) => room,
                Err(full) => return Ok(Err(full.wait)),
            };
            if self.take(room).await?.is_some() {
                return Ok(Ok(()));
            }
        }
    }

    /// Reads a window: the place for one more, or that it is full.
    async fn room(
        &self,
        (key, limit): &(Key, u64),
        now: Timestamp,
    ) -> Result<std::result::Result<Room, Full>> {
        let (now_ms, limit) = (now.as_millis(), i64::try_from(*limit).unwrap_or(i64::MAX));
        let open = i64::try_from(limits::COUNTING_WINDOW.as_millis()).unwrap_or(i64::MAX);
        let fresh = |condition| {
            let write = Write::Put(fresh_window(key.clone(), now), condition);
            Ok(Ok(Room { counted: Counted { key: key.clone(), began: now_ms }, write }))
        };
        let Some(item) = self.table.get(key).await? else { return fresh(Condition::Absent) };
        let number = |name: &str| item.attributes.get(name).and_then(serde_json::Value::as_i64).unwrap_or(0);
        let (began, tries, wrong) = (number("began"), number("tries"), number("wrong"));
        let same_window = Check::Equals("began", began.into());
        if began + open <= now_ms {
            return fresh(Condition::Present(vec![same_window]));
        }
        if tries >= limit {
            let left = u64::try_from(began + open - now_ms).unwrap_or(1);
            let wait = Duration::from_millis(left.max(1));
            return Ok(Err(Full { wait, undecided: wrong < limit }));
        }
        let room = Condition::Present(vec![same_window, Check::LessOrMissing("tries", limit)]);
        let write = Write::Update(key.clone(), vec![Change::Add("tries".into(), 1)], room);
        Ok(Ok(Room { counted: Counted { key: key.clone(), began }, write }))
    }

    /// Counts one more. `None` where others have changed the window since it was read.
    async fn take(&self, Room { counted, write }: Room) -> Result<Option<Counted>> {
        match self.table.write(vec![write], Durability::Crash).await {
            Ok(()) => Ok(Some(counted)),
            Err(TableError::Condition { .. }) => Ok(None),
            Err(error) => Err(error.into()),
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
