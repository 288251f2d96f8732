//! The log: one line per event on stderr, formatted where the event happens and written by a thread of its own.

mod json;
mod lines;

use std::io::IsTerminal;

use tracing::Level;
use tracing::metadata::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::prelude::*;

use crate::config::LogFormat;
use json::Json;
use lines::Lines;

/// The log, until it is dropped: then all of it has been written.
#[must_use = "dropped, it waits for the lines before it only"]
pub(crate) struct Log(Lines);

impl Drop for Log {
    fn drop(&mut self) {
        self.0.flush();
    }
}

/// Starts the log; its level is `RUST_LOG`'s (by prefixes of modules: `info,web=debug`), or `info`.
///
/// # Errors
/// Where a thread can't be started.
pub(crate) fn start(format: Option<LogFormat>) -> std::io::Result<Log> {
    let terminal = std::io::stderr().is_terminal();
    let format = format.unwrap_or(if terminal { LogFormat::Text } else { LogFormat::Json });
    let wanted = std::env::var("RUST_LOG").ok().and_then(|text| text.parse::<Targets>().ok());
    let wanted = wanted.unwrap_or_else(|| Targets::new().with_default(LevelFilter::from_level(Level::INFO)));
    let lines = Lines::start(std::io::stderr())?;
    let log = tracing_subscriber::registry().with(wanted);
    let layer = fmt::layer().with_writer(lines.clone());
    match format {
        LogFormat::Json => log.with(layer.fmt_fields(Json).event_format(Json)).init(),
        LogFormat::Text => log.with(layer.with_ansi(terminal).with_target(false)).init(),
    }
    let (before, panicked) = (lines.clone(), std::panic::take_hook());
    std::panic::set_hook(Box::new(move |panic| {
        // What led to it first; and it may be the end.
        before.flush();
        panicked(panic);
    }));
    Ok(Log(lines))
}
