//! A stream whose peer must take what is written: patience with one that does not read has an end.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use crate::net::BoxStream;

/// A stream with a deadline on writing; `None` waits for ever.
pub struct Patience {
    stream: BoxStream,
    timeout: Option<Duration>,
    timer: Pin<Box<Sleep>>,
    waiting: bool,
}

impl Patience {
    /// Waits at most `timeout` whenever a write cannot go on.
    pub fn new(stream: BoxStream, timeout: Option<Duration>) -> Self {
        let timer = Box::pin(sleep(timeout.unwrap_or_default()));
        Self { stream, timeout, timer, waiting: false }
    }

    /// Passes on what the stream said; if it has been saying "not yet" for too long, an error.
    fn bounded<T>(&mut self, context: &mut Context<'_>, said: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if said.is_ready() {
            self.waiting = false;
            return said;
        }
        let Some(timeout) = self.timeout else { return Poll::Pending };
        if !self.waiting {
            self.waiting = true;
            self.timer.as_mut().reset(Instant::now() + timeout);
        }
        ready!(self.timer.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer does not read")))
    }
}

impl AsyncRead for Patience {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Patience {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let said = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.bounded(context, said)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let said = Pin::new(&mut self.stream).poll_flush(context);
        self.bounded(context, said)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let said = Pin::new(&mut self.stream).poll_shutdown(context);
        self.bounded(context, said)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_does_not_read_is_given_up_after_the_timeout() {
        let (ours, _theirs) = tokio::io::duplex(4);
        let mut stream = Patience::new(Box::new(ours), Some(TIMEOUT));
        let began = Instant::now();
        let written = tokio::time::timeout(2 * TIMEOUT, stream.write_all(&[0; 64])).await;
        let error = written.expect("not for ever").expect_err("nobody reads");
        assert_eq!((error.kind(), began.elapsed().as_secs()), (io::ErrorKind::TimedOut, TIMEOUT.as_secs()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_peer_is_served_as_long_as_it_goes_on_reading() {
        let (ours, mut theirs) = tokio::io::duplex(4);
        let mut stream = Patience::new(Box::new(ours), Some(TIMEOUT));
        let reading = async {
            let mut read = 0;
            while read < 64 {
                sleep(TIMEOUT - Duration::from_secs(1)).await;
                read += theirs.read(&mut [0; 4]).await.expect("the writer lives");
            }
        };
        let (written, ()) = tokio::join!(stream.write_all(&[0; 64]), reading);
        written.expect("each wait was shorter than the timeout");
    }
}
