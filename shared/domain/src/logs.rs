//! What user code printed, line by line, each with its level.

use serde::{Deserialize, Serialize};

use crate::limits;

/// How grave a line is. Lines that were only printed are `Info`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// `logging.debug`, `console.debug`.
    #[serde(rename = "debug")]
    Debug,
    /// `print`, `logging.info`, `console.log`.
    #[default]
    Info,
    /// `logging.warning`, `console.warn`.
    Warn,
    /// `logging.error`, `console.error`.
    Error,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// How grave.
    #[serde(rename = "l")]
    pub level: Level,
    /// What it says, without its line end.
    #[serde(rename = "t")]
    pub text: String,
}

/// A job's lines, oldest first, at most [`limits::LOGS`] bytes of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Logs {
    lines: Vec<LogLine>,
    #[serde(skip)]
    bytes: usize,
    #[serde(skip)]
    cut: bool,
}

/// The last line of logs that were longer than what is kept.
pub const CUT_MARK: &str = "[logs cut here: a job keeps 256 KB of what it prints]";

impl Logs {
    /// Adds a line; what doesn't fit is left out, and a last line says so.
    pub fn push(&mut self, level: Level, text: impl Into<String>) {
        if self.cut {
            return;
        }
        let mut text = text.into();
        let room = limits::LOGS.saturating_sub(CUT_MARK.len() + 1).saturating_sub(self.bytes);
        if text.len() + 1 > room {
            let end = (0..=room.saturating_sub(1).min(text.len())).rev().find(|&i| text.is_char_boundary(i));
            text.truncate(end.unwrap_or(0));
            self.cut = true;
        }
        self.bytes += text.len() + 1;
        if !(self.cut && text.is_empty()) {
            self.lines.push(LogLine { level, text });
        }
        if self.cut {
            self.lines.push(LogLine { level: Level::Warn, text: CUT_MARK.to_owned() });
        }
    }

    /// Whether more lines would be dropped.
    pub fn is_full(&self) -> bool {
        self.cut
    }

    /// Whether nothing was printed.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The lines, oldest first.
    pub fn lines(&self) -> &[LogLine] {
        &self.lines
    }

    /// The lines as one text, each with its line end.
    pub fn text(&self) -> String {
        self.lines.iter().flat_map(|line| [line.text.as_str(), "\n"]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn are_cut_with_a_mark() {
        let mut logs = Logs::default();
        for _ in 0..400 {
            logs.push(Level::Info, "é".repeat(500));
        }
        let text = logs.text();
        assert!(logs.is_full() && text.len() <= limits::LOGS, "{}", text.len());
        assert!(text.ends_with(&format!("{CUT_MARK}\n")));
    }
}
