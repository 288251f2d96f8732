//! Waits for the disk, for those who asked for that.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;

use super::checkpointer;
use super::fault::Fault;
use super::request::Answer;

/// Starts the thread. It ends when the sender is dropped.
///
/// Every commit is in the write-ahead log when the writer hands over its answers; what has left the log since was put
/// on the disk by the checkpoint. So once the log is on the disk, so are they, in SQLite's own way of `FULL`: the writer
/// only doesn't stand still meanwhile.
pub(super) fn start(database: &Path) -> io::Result<(Sender<Vec<Answer>>, JoinHandle<()>)> {
    let log = File::open(checkpointer::log(database))?;
    // The names of the files, too, must survive.
    File::open(database.parent().unwrap_or(Path::new(".")))?.sync_all()?;
    let (sender, inbox) = mpsc::channel();
    let thread = std::thread::Builder::new().name("sqlite-sync".into()).spawn(move || run(&log, &inbox))?;
    Ok((sender, thread))
}

fn run(log: &File, inbox: &Receiver<Vec<Answer>>) {
    // After a failure the system has forgotten what it could not write, and would say that all is well.
    let mut failed: Option<Fault> = None;
    while let Ok(first) = inbox.recv() {
        let answers: Vec<_> = first.into_iter().chain(inbox.try_iter().flatten()).collect();
        if failed.is_none()
            && let Err(error) = log.sync_data()
        {
            tracing::error!(%error, "the disk did not take the database's log; nothing more is promised to survive power loss until the server is restarted");
            failed =
                Some(Fault::passing(format!("the disk did not take the log ({error}); restart the server")));
        }
        for answer in answers {
            answer(failed.as_ref().map_or(Ok(()), Err));
        }
    }
}
