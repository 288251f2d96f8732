//! The socket of a connection, as hyper reads and writes it.
//!
//! hyper takes no request whose target has a `"` in it, as `curl` and others send, and what it refuses it answers with an
//! empty 400. So between the socket and hyper, targets are percent-encoded on their way in, and hyper's own refusals are
//! put into words on their way out.
//!
//! hyper stays the only judge of where a request ends. It is given a head, and nothing after it; then it says, by calling
//! the service, how long the body is that follows. After a body whose end only hyper knows (chunks) everything is passed on
//! as it is, up to the connection's end.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::refusal::{self, Reason};

/// How long a request line may be before it is passed on as it is: as much as hyper takes for a whole head.
const LINE: usize = super::HEAD;

/// What hyper tells by calling the service: how long the body of that request is; and what the service tells by its
/// response: whether that is made while it is sent.
#[derive(Clone, Default)]
pub(super) struct Calls(Arc<(AtomicU64, AtomicBool)>);

/// No call since it was last asked.
const NONE: u64 = 0;
/// A body whose length is not known.
const UNKNOWN: u64 = 1;
/// A body of no bytes; more count up from here.
const KNOWN: u64 = 2;

impl Calls {
    /// The service is called with a request whose body has this length, if that is known.
    pub(super) fn called(&self, length: Option<u64>) {
        let body = length.and_then(|length| length.checked_add(KNOWN)).unwrap_or(UNKNOWN);
        self.0.0.store(body, Ordering::Relaxed);
    }

    /// The service has answered. `streams`: with a response that is made while it is sent.
    pub(super) fn answered(&self, streams: bool) {
        if self.streams() != streams {
            self.0.1.store(streams, Ordering::Relaxed);
        }
    }

    fn streams(&self) -> bool {
        self.0.1.load(Ordering::Relaxed)
    }

    fn take(&self) -> u64 {
        self.0.0.swap(NONE, Ordering::Relaxed)
    }

    fn any(&self) -> bool {
        self.0.0.load(Ordering::Relaxed) != NONE
    }
}

/// Where the next byte from the socket belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// To a request line, or to the empty lines before it.
    Line,
    /// To a head after its request line.
    Head,
    /// Behind a head that hyper has: only hyper knows what follows.
    Behind,
    /// To a body of which this many bytes are to come.
    Body(u64),
    /// Nobody here knows.
    Unknown,
}

pub(super) struct Door {
    stream: TcpStream,
    calls: Calls,
    place: Place,
    /// Read from the socket and not yet given to hyper.
    held: BytesMut,
    /// How much of the current line of a head was given to hyper, and whether that is a carriage return only.
    line: (usize, bool),
    /// The other end of the socket will send no more.
    ended: bool,
    /// The last request line ended before its line did.
    cut_short: bool,
    /// The last request line names HTTP/2.
    is_http2: bool,
    /// What is still to be written of a refusal in words.
    refusal: Option<Bytes>,
    /// A request was refused, which ends the connection.
    refused: bool,
}

impl Door {
    pub(super) fn new(stream: TcpStream, calls: Calls) -> Self {
        Self {
            stream,
            calls,
            place: Place::Line,
            held: BytesMut::new(),
            line: (0, false),
            ended: false,
            cut_short: false,
            is_http2: false,
            refusal: None,
            refused: false,
        }
    }

    /// Learns from hyper what follows the head that it got.
    fn learn(&mut self) {
        self.place = match (self.place, self.calls.take()) {
            (Place::Behind, KNOWN) => Place::Line,
            (Place::Behind, body) if body > KNOWN => Place::Body(body - KNOWN),
            // It wants more of what was taken for a whole head, or the body has chunks.
            (Place::Behind, _) => Place::Unknown,
            (place, NONE) => place,
            // It found the head's end where none was seen.
            _ => Place::Unknown,
        };
    }

    /// How many of these bytes hyper may have now. They don't begin in a request line.
    fn pass(&mut self, bytes: &[u8]) -> usize {
        match self.place {
            Place::Line | Place::Behind => 0,
            Place::Unknown => bytes.len(),
            Place::Body(left) => {
                let now = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                self.place = match left - now as u64 {
                    0 => Place::Line,
                    left => Place::Body(left),
                };
                now
            }
            Place::Head => match self.head_end(bytes) {
                Some(end) => {
                    self.place = Place::Behind;
                    end
                }
                None => bytes.len(),
            },
        }
    }

    /// Where the head ends in these bytes of it: behind the first empty line.
    fn head_end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut from = 0;
        while let Some(length) = bytes[from..].iter().position(|&byte| byte == b'\n') {
            let is_empty = match self.line {
                (0, _) => matches!(&bytes[from..from + length], [] | [b'\r']),
                (before, only_cr) => before == 1 && only_cr && length == 0,
            };
            from += length + 1;
            self.line = (0, false);
            if is_empty {
                return Some(from);
            }
        }
        let rest = &bytes[from..];
        if !rest.is_empty() {
            self.line = (self.line.0 + rest.len(), self.line.0 == 0 && rest == b"\r");
        }
        None
    }

    /// Begins a head with its request line, which is ready to be given.
    fn begin_head(&mut self, is_http2: bool) {
        (self.place, self.line, self.is_http2) = (Place::Head, (0, false), is_http2);
    }

    /// Makes the request line that is held ready to be given; `false` where more of it is to come.
    fn line_is_ready(&mut self) -> bool {
        let blank = self.held.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        self.held.advance(blank);
        match line_end(&self.held) {
            Some(end) => {
                self.begin_head(self.held.starts_with(HTTP2));
                if let Some(line) = encoded(&self.held[..end]) {
                    let rest = self.held.split_off(end);
                    self.held = BytesMut::from(&line[..]);
                    self.held.unsplit(rest);
                }
                true
            }
            None if self.ended || self.held.len() > LINE => {
                self.cut_short = !self.held.is_empty() && self.ended;
                self.place = Place::Unknown;
                true
            }
            None => false,
        }
    }

    /// Reads a request line that doesn't come alone, or not at once.
    fn poll_line(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.line_is_ready() {
            let mut space = [0; 4096];
            let mut more = ReadBuf::new(&mut space);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut more))?;
            self.ended = more.filled().is_empty();
            self.held.extend_from_slice(more.filled());
        }
        Poll::Ready(Ok(()))
    }

    /// Whether hyper writes this by itself: the answer to a request that it could not read.
    fn is_refusal(&self, bytes: &[u8]) -> bool {
        let reads_head = matches!(self.place, Place::Head | Place::Behind | Place::Unknown);
        reads_head && !self.calls.any() && refusal::is_hypers(bytes)
    }

    /// Writes a refusal in words instead of hyper's.
    fn poll_refusal(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = &mut self.refusal {
            if rest.is_empty() {
                self.refusal = None;
                break;
            }
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, rest))?;
            rest.advance(written);
        }
        Poll::Ready(Ok(()))
    }
}

/// What the request line of a client that goes straight to HTTP/2 begins with.
const HTTP2: &[u8] = b"PRI * HTTP/2";

/// Where the first line of these bytes ends, its line feed included.
fn line_end(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|&byte| byte == b'\n').map(|at| at + 1)
}

/// The request line with its target encoded, where that makes a difference.
fn encoded(line: &[u8]) -> Option<Vec<u8>> {
    let is_space = |&byte: &u8| byte == b' ';
    let (from, to) = (line.iter().position(is_space)? + 1, line.iter().rposition(is_space)?);
    let target = web::target::encoded(line.get(from..to)?)?;
    Some([&line[..from], &target, &line[to..]].concat())
}

impl AsyncRead for Door {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.learn();
        if this.held.is_empty() {
            let before = buf.filled().len();
            ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
            let read = &buf.filled()[before..];
            if read.is_empty() {
                this.ended = true;
                return Poll::Ready(Ok(()));
            }
            // Most requests come whole, and with a target that needs nothing: those are not copied.
            let line = line_end(read).map(|end| &read[..end]).filter(|line| !line.starts_with(b"\r"));
            if this.place == Place::Line
                && let Some(line) = line.filter(|line| line.len() > 1 && encoded(line).is_none())
            {
                this.begin_head(line.starts_with(HTTP2));
            }
            let now = this.pass(read);
            this.held.extend_from_slice(&read[now..]);
            buf.set_filled(before + now);
            if now > 0 {
                return Poll::Ready(Ok(()));
            }
        }
        if this.place == Place::Line {
            ready!(this.poll_line(cx))?;
        }
        let mut held = std::mem::take(&mut this.held);
        let now = this.pass(&held[..held.len().min(buf.remaining())]);
        buf.put_slice(&held.split_to(now));
        this.held = held;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Door {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if !this.refused && this.is_refusal(buf) {
            let reason = if this.is_http2 { Reason::Http2 } else { Reason::of_hypers(buf) };
            (this.refused, this.refusal) = (true, Some(refusal::answer(reason)));
        }
        if this.refusal.is_some() {
            ready!(this.poll_refusal(cx))?;
            return Poll::Ready(Ok(buf.len()));
        }
        Pin::new(&mut this.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match bufs.iter().find(|buf| !buf.is_empty()) {
            Some(first) if self.refusal.is_some() || self.is_refusal(first) => self.poll_write(cx, first),
            _ => Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper flushes whenever it has looked for more of a response and there is none yet. A client that has hung up meanwhile
    /// would be noticed by the next thing that is written, which may never come: so one that shuts its sending side, though it
    /// may not mean that, hears no more of a response that is made while it is sent.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.calls.streams()
            && let Poll::Ready(Ok(0)) = this.stream.poll_peek(cx, &mut ReadBuf::new(&mut [0]))
        {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

/// hyper hangs up without a word where a head comes too slowly, or ends too soon.
impl Drop for Door {
    fn drop(&mut self) {
        let reason = match self.place {
            _ if self.refused || self.calls.any() => return,
            Place::Line if !self.held.is_empty() => Reason::TooSlow,
            Place::Unknown if self.cut_short => Reason::CutShort,
            Place::Head if self.ended => Reason::CutShort,
            Place::Head => Reason::TooSlow,
            Place::Line | Place::Behind | Place::Body(_) | Place::Unknown => return,
        };
        // Nobody waits for it: what the socket doesn't take at once is not worth more.
        let _ = self.stream.try_write(&refusal::answer(reason));
    }
}
