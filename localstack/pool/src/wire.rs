//! What goes between the server and a worker, on pipes: frames each way, and what is printed.

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use runtime::printed::Printed;
use runtime::protocol;
use rustix::buffer::spare_capacity;
use rustix::io::Errno;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;

/// Sends frames, and the event after them.
pub(super) async fn send(pipe: &mut pipe::Sender, mut frames: Vec<u8>, event: &[u8]) -> io::Result<()> {
    // One system call for the most; no copy for the large.
    if event.len() <= 64 * 1024 {
        frames.extend_from_slice(event);
        pipe.write_all(&frames).await
    } else {
        pipe.write_all(&frames).await?;
        pipe.write_all(event).await
    }
}

/// The next frame: its kind and its body. `Ok(None)` if it is none that a worker may send. Its beginning is waited for
/// without giving the processor up for as long as `linger` says.
pub(super) async fn read_frame(
    pipe: &mut pipe::Receiver,
    linger: Option<Duration>,
) -> io::Result<Option<(u8, Vec<u8>)>> {
    let mut buffer = Vec::with_capacity(1024);
    if let Some(most) = linger {
        read_soon(pipe, &mut buffer, most);
    }
    while buffer.len() < protocol::HEAD {
        if pipe.read_buf(&mut buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let mut head = [0; protocol::HEAD];
    head.copy_from_slice(&buffer[..protocol::HEAD]);
    let Some((kind, length)) = protocol::head(&head) else { return Ok(None) };
    buffer.drain(..protocol::HEAD);
    if buffer.len() > length {
        return Ok(None);
    }
    let have = buffer.len();
    buffer.resize(length, 0);
    if have < length {
        pipe.read_exact(&mut buffer[have..]).await?;
    }
    Ok(Some((kind, buffer)))
}

/// Reads what comes within this time, if anything does. Other threads that wait for the processor go first.
fn read_soon(pipe: &pipe::Receiver, buffer: &mut Vec<u8>, most: Duration) {
    let until = Instant::now() + most;
    while rustix::io::read(pipe.as_fd(), spare_capacity(buffer)) == Err(Errno::WOULDBLOCK)
        && Instant::now() < until
    {
        std::thread::yield_now();
    }
}

/// How reading from a pipe ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Drained {
    /// Nothing more is in it, for now.
    Empty,
    /// There may be more.
    More,
    /// Nobody holds its other end.
    Closed,
}

/// As [`drain`], telling the reactor when there is no more.
pub(super) fn drain_ready(pipe: &pipe::Receiver, printed: &mut Printed) -> Drained {
    let result = pipe.try_io(|| match drain(pipe, Some(printed), 1 << 20) {
        Drained::Empty => Err(io::ErrorKind::WouldBlock.into()),
        other => Ok(other),
    });
    result.unwrap_or(Drained::Empty)
}

/// Reads what is in the pipe, up to about `most` bytes, without waiting. What nobody wants is dropped.
pub(super) fn drain(pipe: &pipe::Receiver, mut printed: Option<&mut Printed>, most: usize) -> Drained {
    thread_local! {
        static SCRATCH: std::cell::RefCell<Vec<u8>> = const { std::cell::RefCell::new(Vec::new()) };
    }
    SCRATCH.with_borrow_mut(|scratch| {
        let mut total = 0;
        while total < most {
            if scratch.is_empty() {
                scratch.resize(64 * 1024, 0);
            }
            match rustix::io::read(pipe.as_fd(), scratch.as_mut_slice()) {
                Ok(0) => return Drained::Closed,
                Ok(read) => {
                    if let Some(printed) = printed.as_deref_mut() {
                        printed.push(&scratch[..read]);
                    }
                    total += read;
                }
                Err(Errno::WOULDBLOCK) => return Drained::Empty,
                Err(Errno::INTR) => {}
                Err(_) => return Drained::Closed,
            }
        }
        Drained::More
    })
}
