//! The log: one line per event on stderr, formatted where the event happens and written by a thread of its own.

use std::io::{self, BufWriter, ErrorKind, IsTerminal, Stderr, Write};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tracing::Level;
use tracing::metadata::LevelFilter;
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::prelude::*;

use crate::config::LogFormat;

/// The most lines that wait to be written, about 1 MB.
const WAITING_LINES: usize = 4096;

/// Starts the log; its level is `RUST_LOG`'s (by prefixes of modules: `info,web=debug`), or `info`. What is logged has been
/// written once the guard is dropped, or after a second where nobody reads it.
pub(crate) fn start(format: Option<LogFormat>) -> WorkerGuard {
    let terminal = io::stderr().is_terminal();
    let format = format.unwrap_or(if terminal { LogFormat::Text } else { LogFormat::Json });
    let wanted = std::env::var("RUST_LOG").ok().and_then(|text| text.parse::<Targets>().ok());
    let wanted = wanted.unwrap_or_else(|| Targets::new().with_default(LevelFilter::from_level(Level::INFO)));
    let dropped = Arc::new(OnceLock::new());
    let output = Output { stderr: BufWriter::new(Patient(io::stderr())), dropped: dropped.clone(), told: 0 };
    let lines = NonBlockingBuilder::default().buffered_lines_limit(WAITING_LINES).thread_name("log");
    let (lines, guard) = lines.finish(output);
    dropped.get_or_init(|| lines.error_counter());
    let log = tracing_subscriber::registry().with(wanted);
    let layer = fmt::layer().with_writer(lines);
    match format {
        LogFormat::Json => {
            log.with(layer.json().flatten_event(true).with_current_span(true).with_span_list(false)).init();
        }
        LogFormat::Text => log.with(layer.with_ansi(terminal).with_target(false)).init(),
    }
    guard
}

/// Where the thread writes lines to: as many at once as there are. It is flushed whenever none is left, which is when there
/// is room again for saying how many there was no room for.
struct Output {
    stderr: BufWriter<Patient>,
    dropped: Arc<OnceLock<ErrorCounter>>,
    told: usize,
}

impl Write for Output {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.stderr.write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        let dropped = self.dropped.get().map_or(0, ErrorCounter::dropped_lines);
        if dropped > self.told {
            tracing::warn!(
                lines = dropped - self.told,
                "stderr is read slower than is logged: so many lines are not in the log"
            );
            self.told = dropped;
        }
        self.stderr.flush()
    }
}

/// Waits for a slow reader also where stderr is a pipe that somebody made non-blocking.
struct Patient(Stderr);

impl Write for Patient {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.0.write(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                done => return done,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
