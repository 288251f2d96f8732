//! Lines on their way to stderr. A request only leaves its line here: writing it would take longer than all else that is
//! done about it, and stderr may be slow.

use std::io::{self, ErrorKind, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing::{Level, Metadata, warn};
use tracing_subscriber::fmt::MakeWriter;

/// The most bytes that wait. Warnings and errors may take as much again.
const ROOM: usize = 1 << 20;
/// How long a line may wait for others to be written with.
const PAUSE: Duration = Duration::from_millis(10);
/// How long to wait for a slow stderr before the process goes on, or ends.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the log's lines are written to. Cheap to clone.
#[derive(Clone)]
pub(super) struct Lines(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// There is something to do for the writer.
    more: Condvar,
    /// The writer is done with something.
    done: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    /// Lines that there was no room for.
    dropped: u64,
    /// The writer has nothing to do, and is to be woken when it has.
    idle: bool,
    /// Somebody waits, or the line does not.
    urgent: bool,
    /// The writer has lines that are not out yet.
    writing: bool,
}

/// A line of this level is written next.
pub(super) struct Line<'a> {
    lines: &'a Lines,
    level: Level,
}

impl Lines {
    /// Lines that a thread writes to `out`.
    pub(super) fn start(out: impl Write + Send + 'static) -> io::Result<Self> {
        let lines = Self(Arc::default());
        let theirs = lines.clone();
        std::thread::Builder::new().name("log".into()).spawn(move || theirs.write_all(out))?;
        Ok(lines)
    }

    /// Waits until all that is here has been written, within reason.
    pub(super) fn flush(&self) {
        let until = Instant::now() + PATIENCE;
        let mut state = self.state();
        while state.writing || !state.waiting.is_empty() {
            state.urgent = true;
            self.0.more.notify_one();
            let Some(left) = until.checked_duration_since(Instant::now()) else { return };
            state = self.0.done.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn push(&self, line: &[u8], level: Level) {
        let grave = level <= Level::WARN;
        let mut state = self.state();
        if state.waiting.len() + line.len() > if grave { 2 * ROOM } else { ROOM } {
            state.dropped += 1;
            return;
        }
        state.waiting.extend_from_slice(line);
        state.urgent |= grave;
        if std::mem::take(&mut state.idle) || grave {
            self.0.more.notify_one();
        }
    }

    /// The thread: writes what there is, then lets more come together.
    fn write_all(&self, mut out: impl Write) {
        let mut lines = Vec::new();
        loop {
            let mut state = self.state();
            while state.waiting.is_empty() {
                state.idle = true;
                state = self.0.more.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            (state.idle, state.urgent, state.writing) = (false, false, true);
            std::mem::swap(&mut state.waiting, &mut lines);
            let dropped = std::mem::take(&mut state.dropped);
            drop(state);
            // Where stderr is gone there is nobody to tell.
            let _ = write_whole(&mut out, &lines);
            lines.clear();
            let mut state = self.state();
            state.writing = false;
            self.0.done.notify_all();
            if dropped > 0 {
                drop(state);
                warn!(
                    lines = dropped,
                    "stderr is read slower than is logged: so many lines are not in the log"
                );
                state = self.state();
            }
            let pause = self.0.more.wait_timeout_while(state, PAUSE, |state| !state.urgent);
            drop(pause.unwrap_or_else(PoisonError::into_inner));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing under this lock leaves it half changed.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All of it, also where stderr is a pipe that somebody made non-blocking.
fn write_whole(out: &mut impl Write, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match out.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(PAUSE),
            Err(error) => return Err(error),
        }
    }
    out.flush()
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { lines: self, level: Level::INFO }
    }

    fn make_writer_for(&'a self, event: &Metadata<'_>) -> Line<'a> {
        Line { lines: self, level: *event.level() }
    }
}

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.lines.push(line, self.level);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    use super::*;

    /// An output whose reader takes one piece at a time.
    struct Pipe(SyncSender<Vec<u8>>);

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(|_| ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lines() -> (Lines, Receiver<Vec<u8>>) {
        // No piece is taken before the reader asks for it.
        let (sender, receiver) = sync_channel(0);
        (Lines::start(Pipe(sender)).expect("a thread"), receiver)
    }

    fn read(pieces: &Receiver<Vec<u8>>) -> Vec<u8> {
        pieces.recv_timeout(Duration::from_secs(10)).expect("a piece")
    }

    #[test]
    fn lines_come_whole_and_in_order() {
        let (lines, pieces) = lines();
        for n in 0..1000 {
            lines.push(format!("{n}\n").as_bytes(), Level::INFO);
        }
        let expected: String = (0..1000).map(|n| format!("{n}\n")).collect();
        let mut text = Vec::new();
        while text.len() < expected.len() {
            text.extend(read(&pieces));
        }
        assert_eq!(text, expected.as_bytes());
    }

    #[test]
    fn nobody_waits_for_a_slow_reader_and_what_was_dropped_is_counted() {
        let (lines, pieces) = lines();
        lines.push(b"first\n", Level::INFO);
        // Taken by the thread, which hangs in writing it.
        while !lines.state().writing {
            std::thread::yield_now();
        }
        let line = [b'x'; 1024];
        for _ in 0..2048 {
            lines.push(&line, Level::INFO);
        }
        let kept = lines.state().waiting.len();
        assert_eq!((kept, lines.state().dropped), (ROOM, 1024));
        lines.push(b"grave\n", Level::ERROR);
        assert_eq!(lines.state().dropped, 1024, "there is room for what is grave");
        assert_eq!(read(&pieces), b"first\n");
        assert!(read(&pieces).ends_with(b"xgrave\n"));
    }

    #[test]
    fn a_flush_waits_until_all_is_written() {
        let (sender, pieces) = sync_channel(100);
        let lines = Lines::start(Pipe(sender)).expect("a thread");
        for n in 0..3 {
            lines.push(format!("{n}\n").as_bytes(), Level::INFO);
            lines.flush();
            assert_eq!(pieces.try_recv().expect("it is out"), format!("{n}\n").as_bytes());
        }
        lines.flush();
        assert!(pieces.try_recv().is_err(), "nothing is written twice");
    }
}
