//! D02: an error path returns without closing the stream.
//!
//! What it looks like: live heap and sockets grow by one entry with every handshake that comes to nothing. The PLC hangs
//! up on each of them, so `ss` shows hundreds of sockets in CLOSE_WAIT. A station that answers leaves nothing behind; one
//! whose CPU hangs while its network card still accepts costs a socket every few seconds, until `accept` fails for everybody.
//!
//! Why it passes review: every stream that enters the list of half-made connections leaves it a line below. The way out between
//! the two is one character long: `?`.
//!
//! The fix: a guard that takes the entry out in its `drop`, so that an error and a dropped future do it too; or no list.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::config::StationConfig;
use crate::net::BoxStream;
use crate::shared::Shared;
use crate::station::dial::{Dial, Dialled, agree, client_config, reach};

/// Keeps a list of the connections that are half made, so that they can be told from those that are sound.
#[derive(Default)]
pub struct CloseSkippedOnError {
    half_made: Mutex<Vec<Line>>,
}

impl Dial for CloseSkippedOnError {
    fn dial<'d>(
        &'d self,
        shared: &'d Shared,
        config: &'d StationConfig,
        first_reference: u16,
        deadline: Instant,
    ) -> BoxFuture<'d, Dialled> {
        async move {
            let line = self.enter(reach(&*shared.net, config, deadline).await?);
            let wishes = client_config(config, first_reference);
            let client = agree(Box::new(line.clone()), config, wishes, deadline).await?;
            self.leave(&line);
            Ok(client)
        }
        .boxed()
    }
}

impl CloseSkippedOnError {
    fn enter(&self, stream: BoxStream) -> Line {
        let line = Line(Arc::new(Mutex::new(stream)));
        self.lock().push(line.clone());
        line
    }

    fn leave(&self, line: &Line) {
        self.lock().retain(|one| !Arc::ptr_eq(&one.0, &line.0));
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Line>> {
        self.half_made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream that the list and its user share; the last of them closes it.
#[derive(Clone)]
struct Line(Arc<Mutex<BoxStream>>);

impl Line {
    fn lock(&self) -> MutexGuard<'_, BoxStream> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsyncRead for Line {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.lock()).poll_read(context, into)
    }
}

impl AsyncWrite for Line {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.lock()).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.lock()).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.lock()).poll_shutdown(context)
    }
}
