//! The parser as a process of its own, which may die of what it reads: this program again, told by its arguments.

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use domain::{Language, limits};
use rustix::process::{Resource, Rlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use super::{Reading, Version, read, without_mark};

/// The first argument of this program where it is to be the parser.
const ASKED: &str = "read-code";
/// How long it may take, on a machine that has other work too.
const DEADLINE: Duration = Duration::from_secs(6);
/// How many seconds it may compute. An honest source of the largest size takes less than a third of it.
const SECONDS: u64 = 3;
/// What its answer begins with, before it has looked at the source.
const BEGUN: &[u8] = b"read-code\n";
const MIB: u64 = 1024 * 1024;
/// The stack that it recurses on, in bytes, or half of its memory where that is less. Only what is used of it
/// takes memory.
const STACK: u64 = 256 * MIB;
/// The most of its address space, in bytes.
const ADDRESSES: u64 = 2048 * MIB;
/// The most of its memory, in bytes.
const SPACE: u64 = 640 * MIB;
/// What a Lambda function needs of its memory beside the parser, in bytes. Lambda ends all that runs in one that takes
/// too much.
const BESIDE: u64 = 128 * MIB;
/// The variable in which Lambda says how much memory a function has, in MiB.
const FUNCTION_MEMORY: &str = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE";
/// The most bytes that it may answer.
const ANSWER: u64 = MIB;

/// Starts parsers.
#[derive(Clone, Debug)]
pub struct Parser {
    program: PathBuf,
    /// The memory of each, in bytes.
    space: u64,
}

impl Parser {
    /// By this program, which calls [`answer_if_asked`] before it does anything else.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), space: space(std::env::var(FUNCTION_MEMORY).ok().as_deref()) }
    }

    /// Reads a source in each way that it can be meant. `None` if the parser dies of it.
    ///
    /// # Errors
    /// Where it can't be started.
    pub async fn read(&self, version: Version, source: &str) -> io::Result<Option<Vec<Reading>>> {
        let language = match version.language {
            Language::Python => "python",
            Language::Nodejs => "nodejs",
        };
        let mut child = Command::new(&self.program)
            .args([ASKED, language, &version.major.to_string(), &version.minor.to_string()])
            .arg(self.space.to_string())
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("a child without pipes"));
        };
        let talk = async {
            // One that dies while it is written to has answered all the same.
            let _ = stdin.write_all(source.as_bytes()).await;
            drop(stdin);
            let mut answer = Vec::new();
            stdout.take(ANSWER).read_to_end(&mut answer).await?;
            io::Result::Ok(answer)
        };
        let Ok(answer) = tokio::time::timeout(DEADLINE, talk).await else { return Ok(None) };
        let answer = answer?;
        // Whoever says nothing at first has died of something else than the source.
        match answer.strip_prefix(BEGUN) {
            Some(readings) => Ok(serde_json::from_slice(readings).ok()),
            None => Err(io::Error::other(format!("{} is no parser", self.program.display()))),
        }
    }
}

/// Is the parser, where this program was started as one: answers, and ends the process. To be called first in `main`.
pub fn answer_if_asked() {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().as_deref() != Some(OsStr::new(ASKED)) {
        return;
    }
    let mut text = || arguments.next().and_then(|argument| argument.into_string().ok()).unwrap_or_default();
    let language = if text() == "python" { Language::Python } else { Language::Nodejs };
    let version = Version {
        language,
        major: text().parse().unwrap_or_default(),
        minor: text().parse().unwrap_or_default(),
    };
    let space = text().parse().unwrap_or(SPACE);
    let answered = confine(space).and_then(|()| {
        let mut source = String::new();
        io::stdin().lock().take(limits::CODE as u64 + 1).read_to_string(&mut source)?;
        let mut stdout = io::stdout().lock();
        stdout.write_all(BEGUN)?;
        stdout.flush()?;
        drop(stdout);
        let stack = usize::try_from(STACK.min(space / 2)).unwrap_or(usize::MAX);
        let thread = std::thread::Builder::new().stack_size(stack).spawn(move || {
            let answer = serde_json::to_vec(&read(version, without_mark(&source)))?;
            let mut stdout = io::stdout().lock();
            stdout.write_all(&answer)?;
            stdout.flush()
        })?;
        thread.join().unwrap_or_else(|_| Err(io::Error::other("the parser panicked")))
    });
    std::process::exit(i32::from(answered.is_err()));
}

/// How much memory a parser may have, where the function that starts it has this memory.
fn space(function_memory: Option<&str>) -> u64 {
    let memory: Option<u64> = function_memory.and_then(|mib| mib.parse().ok());
    memory.map_or(SPACE, |mib| (mib * MIB).saturating_sub(BESIDE).clamp(BESIDE, SPACE))
}

/// Bounds what this process can take. None of it is ever wanted back.
fn confine(space: u64) -> io::Result<()> {
    for (resource, most) in [
        (Resource::As, ADDRESSES),
        // The stack and what is allocated, and not the program or what is only reserved.
        (Resource::Data, space),
        (Resource::Cpu, SECONDS),
        (Resource::Fsize, 0),
        // Not 0: a program that core_pattern names would then still be started.
        (Resource::Core, 1),
        (Resource::Nofile, 8),
    ] {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parser_takes_no_more_than_its_lambda_function_can_spare() {
        for (memory, mib) in [
            (None, 640),
            (Some("512"), 384),
            (Some("256"), 128),
            (Some("128"), 128),
            (Some("10240"), 640),
            (Some("much"), 640),
        ] {
            assert_eq!(space(memory), mib * MIB, "{memory:?}");
        }
    }
}
