//! A stream whose peer must come to the point: one that asks nothing, or asks too slowly, is not waited for for ever.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use hyper::body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::config::HttpConfig;

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The first byte of a request, until then.
    Idle(Instant),
    /// The last byte of its head, until then.
    Head(Instant),
    /// The peer's turn is over: a request is being answered, or the connection is no longer HTTP.
    Busy,
    /// The last bytes of an answer are on their way out.
    Answered,
}

/// How long a peer may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// For the first byte of a request.
    pub idle: Duration,
    /// From there to the last byte of its head.
    pub head: Duration,
}

impl Deadlines {
    /// Those that are configured.
    pub const fn of(http: &HttpConfig) -> Self {
        Self { idle: http.idle_timeout, head: http.header_timeout }
    }
}

/// Where a connection stands, as its stream and its requests know it.
pub struct Pace {
    phase: Mutex<Phase>,
    deadlines: Deadlines,
}

impl Pace {
    /// The pace of a new connection.
    pub fn new(deadlines: Deadlines) -> Arc<Self> {
        let idle = Phase::Idle(Instant::now() + deadlines.idle);
        Arc::new(Self { phase: Mutex::new(idle), deadlines })
    }

    /// Notes that a request's head is in; the connection is busy until what is returned is dropped.
    pub fn answering(self: &Arc<Self>) -> Answering {
        self.enter(Phase::Busy);
        Answering(Some(Arc::clone(self)))
    }

    fn came(&self) {
        if let Phase::Idle(_) = self.phase() {
            self.enter(Phase::Head(Instant::now() + self.deadlines.head));
        }
    }

    /// Notes that nothing is left to be written; whether that begins the wait for another request.
    fn flushed(&self) -> bool {
        let answered = self.phase() == Phase::Answered;
        if answered {
            self.enter(Phase::Idle(Instant::now() + self.deadlines.idle));
        }
        answered
    }

    fn phase(&self) -> Phase {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, phase: Phase) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = phase;
    }
}

/// A request that is being answered, until this is dropped.
pub struct Answering(Option<Arc<Pace>>);

impl Answering {
    /// The body of the answer, which is being given until this is dropped.
    pub fn with(self, body: Body) -> AnswerBody {
        AnswerBody { body, _answering: self }
    }

    /// Notes that no other request will come: the stream is for something else from now on.
    pub fn for_ever(&mut self) {
        self.0 = None;
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        if let Some(pace) = &self.0 {
            pace.enter(Phase::Answered);
        }
    }
}

/// The body of an answer; at its end the connection waits for the next request.
pub struct AnswerBody {
    body: Body,
    _answering: Answering,
}

impl hyper::body::Body for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream that ends when its peer asks nothing, and breaks when its peer asks too slowly.
pub struct Paced<S> {
    stream: S,
    pace: Arc<Pace>,
    timer: Pin<Box<Sleep>>,
}

impl<S> Paced<S> {
    /// A stream that keeps its peer to `pace`.
    pub fn new(stream: S, pace: Arc<Pace>) -> Self {
        Self { stream, pace, timer: Box::pin(sleep_until(Instant::now())) }
    }

    fn poll_deadline(&mut self, context: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        if self.timer.deadline() != deadline {
            self.timer.as_mut().reset(deadline);
        }
        self.timer.as_mut().poll(context)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.pace.came();
        }
        match (read, self.pace.phase()) {
            // Trickled bytes do not put the deadline off.
            (Poll::Ready(Ok(())), Phase::Head(by)) if Instant::now() >= by => Poll::Ready(Err(too_slow())),
            (Poll::Ready(read), _) => Poll::Ready(read),
            (Poll::Pending, Phase::Busy | Phase::Answered) => Poll::Pending,
            // An end, as if the peer had closed: nothing was asked, so nothing failed.
            (Poll::Pending, Phase::Idle(by)) => self.poll_deadline(context, by).map(Ok),
            (Poll::Pending, Phase::Head(by)) => {
                ready!(self.poll_deadline(context, by));
                Poll::Ready(Err(too_slow()))
            }
        }
    }
}

fn too_slow() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the head of a request did not come in time")
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        if matches!(flushed, Poll::Ready(Ok(()))) && self.pace.flushed() {
            // Whoever reads has done so already, in vain and without a deadline: once more, with one.
            context.waker().wake_by_ref();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
