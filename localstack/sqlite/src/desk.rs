//! Where the writer is asked for things. Whoever asks while nobody writes does the writing, since changing to another
//! thread and back costs more than most commits; what comes in meanwhile is committed together, by a thread that also
//! does what is due by the clock.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::JoinHandle;
use std::time::Instant;

use super::fault::Fault;
use super::request::Request;
use super::writer::Writer;

/// The most requests in one commit, so that the first of them doesn't wait for too many others.
const MAX_BATCH: usize = 512;
/// How many requests are left to the thread after two were there at once: then there is something to commit together.
const CROWDED: u32 = 64;
/// How often who writes looks for what has come in meanwhile.
const ROUNDS: usize = 4;

/// The desk.
pub(super) struct Desk {
    inbox: Mutex<Inbox>,
    /// Gone once closed.
    writer: Mutex<Option<Writer>>,
    rung: Mutex<bool>,
    bell: Condvar,
    crowded: AtomicU32,
}

#[derive(Default)]
struct Inbox {
    /// What goes to the journal. It does not wait for what is asked of the queue, which takes longer.
    noted: VecDeque<Request>,
    others: VecDeque<Request>,
    /// How many of the others are about the table. What is asked of it is done in order.
    of_table: usize,
    closed: bool,
}

impl Inbox {
    fn push(&mut self, request: Request) {
        if request.is_noted() && self.of_table == 0 {
            return self.noted.push_back(request);
        }
        self.of_table += usize::from(request.is_of_table());
        self.others.push_back(request);
    }

    /// What comes first: of what goes to the journal, and, unless that is all that is wanted, of the others, to be done
    /// after it.
    fn take(&mut self, only_noted: bool) -> (Vec<Request>, Vec<Request>) {
        let noted = first(&mut self.noted);
        if only_noted || !self.noted.is_empty() {
            return (noted, Vec::new());
        }
        let others = first(&mut self.others);
        self.of_table -= others.iter().filter(|request| request.is_of_table()).count();
        (noted, others)
    }

    fn is_empty(&self) -> bool {
        self.noted.is_empty() && self.others.is_empty()
    }

    fn clear(&mut self) {
        *self = Self { closed: self.closed, ..Self::default() };
    }
}

/// What comes first.
fn first(requests: &mut VecDeque<Request>) -> Vec<Request> {
    let count = requests.len().min(MAX_BATCH);
    requests.drain(..count).collect()
}

/// What is said to who comes late.
fn closed() -> Fault {
    Fault::passing("the database is closed")
}

impl Desk {
    /// The desk of a writer, which is told where it is.
    pub(super) fn new(writer: impl FnOnce(std::sync::Weak<Self>) -> Writer) -> Arc<Self> {
        Arc::new_cyclic(|desk| Self {
            inbox: Mutex::default(),
            writer: Mutex::new(Some(writer(desk.clone()))),
            rung: Mutex::new(false),
            bell: Condvar::new(),
            crowded: AtomicU32::new(0),
        })
    }

    /// Starts the thread. It ends after [`close`](Self::close).
    pub(super) fn start(self: &Arc<Self>) -> io::Result<JoinHandle<()>> {
        let desk = self.clone();
        std::thread::Builder::new().name("sqlite-write".into()).spawn(move || desk.run())
    }

    /// Asks for something. The answer goes where the request says; a request whose writer has failed is dropped.
    pub(super) fn hand_in(&self, request: Request) {
        let (is_noted, is_short) = (request.is_noted(), request.is_short());
        {
            let mut inbox = self.inbox();
            if inbox.closed {
                drop(inbox);
                return request.refuse(&closed());
            }
            inbox.push(request);
        }
        if self.writer.is_poisoned() {
            // It has failed in a way that it can't go on after. Nobody is left to do these.
            return self.inbox().clear();
        }
        let crowded = self.crowded.load(Ordering::Relaxed);
        if !is_short || (crowded > 0 && !is_noted) {
            self.crowded.store(crowded.saturating_sub(1), Ordering::Relaxed);
            return self.ring();
        }
        match self.writer.try_lock() {
            Ok(mut writer) => {
                let Some(at_work) = writer.as_mut() else { return };
                // What others have asked for meanwhile is done here too: it takes less than waking the thread. Not for
                // ever, and not where somebody who asked for little would do much.
                for _ in 0..ROUNDS {
                    let (noted, others) = self.inbox().take(is_noted);
                    if noted.is_empty() && others.is_empty() {
                        break;
                    }
                    for batch in [noted, others] {
                        if !batch.is_empty() {
                            at_work.process(batch, false);
                        }
                    }
                }
                let is_late = at_work.is_due_earlier();
                // Before looking whether there is more: who could not lock it has left that to this look.
                drop(writer);
                if is_late || !self.inbox().is_empty() {
                    self.ring();
                }
            }
            Err(TryLockError::WouldBlock) if is_noted => {}
            Err(TryLockError::WouldBlock) => self.crowded.store(CROWDED, Ordering::Relaxed),
            Err(TryLockError::Poisoned(_)) => self.inbox().clear(),
        }
    }

    /// The writer, between two batches.
    #[cfg(test)]
    pub(super) fn writer(&self) -> MutexGuard<'_, Option<Writer>> {
        self.writer.lock().expect("it has not failed")
    }

    /// Takes nothing more; what was asked for is done.
    pub(super) fn close(&self) {
        self.inbox().closed = true;
        self.ring();
    }

    fn run(&self) {
        loop {
            let Ok(mut writer) = self.writer.lock() else { return };
            let Some(at_work) = writer.as_mut() else { return };
            let only_noted = at_work.fold_some() && self.asks_for_little();
            let (noted, others) = self.inbox().take(only_noted);
            if !noted.is_empty() {
                at_work.process(noted, false);
            }
            if only_noted {
                continue;
            }
            if others.len() > 1 {
                self.crowded.store(CROWDED, Ordering::Relaxed);
            }
            if !others.is_empty() || at_work.is_due() {
                at_work.process(others, true);
            }
            let due = at_work.plan();
            let (is_empty, is_closed) = {
                let inbox = self.inbox();
                (inbox.is_empty(), inbox.closed)
            };
            if is_empty && is_closed {
                if let Some(writer) = writer.take() {
                    writer.finish(&closed());
                }
                return;
            }
            drop(writer);
            if self.inbox().is_empty() {
                self.wait(due);
            }
        }
    }

    /// Whether all that is asked for goes to the journal.
    fn asks_for_little(&self) -> bool {
        let inbox = self.inbox();
        !inbox.closed && inbox.others.is_empty()
    }

    fn ring(&self) {
        let mut rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        if !std::mem::replace(&mut rung, true) {
            self.bell.notify_one();
        }
    }

    /// Waits until the bell has rung, or until then.
    fn wait(&self, due: Option<Instant>) {
        let mut rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        while !std::mem::take(&mut *rung) {
            rung = match due {
                None => self.bell.wait(rung).unwrap_or_else(PoisonError::into_inner),
                Some(due) => {
                    let left = due.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return;
                    }
                    self.bell.wait_timeout(rung, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        // Nothing under this lock leaves it half changed.
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
