//! D27: a connection whose peer has vanished is kept as connected.
//!
//! What it looks like: tasks and sockets grow by one with every connection that a PLC left without a FIN: power cut, cable
//! pulled, a firewall that forgot. `ss` shows them ESTABLISHED, for ever: nothing is sent on them, so TCP has nothing
//! that could go unanswered. A PLC that is merely slow keeps its end as well, and with it a slot.
//!
//! Why it passes review: closing a socket with unread bytes resets it, and a PLC logs that as a fault; so what still comes is
//! read before the line is closed, as HTTP servers do. In every test the PLC hangs up, or its idle timeout does. Nobody tests
//! with a PLC that is not there any more.
//!
//! The fix: a bound on the wait (`timeout(LINGER, copy(..))`), and TCP keep-alive for what has none. Or plainly close: what
//! comes too late is no data in any case.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy, empty, sink};
use tokio::time::Instant;

use crate::config::StationConfig;
use crate::net::BoxStream;
use crate::shared::Shared;
use crate::station::dial::{Dial, Dialled, agree, client_config, reach};
use crate::tasks::{TaskKind, Tasks};

/// Reads what a PLC still sends before the connection is closed.
pub struct HalfOpenKept;

impl Dial for HalfOpenKept {
    fn dial<'d>(
        &'d self,
        shared: &'d Shared,
        config: &'d StationConfig,
        first_reference: u16,
        deadline: Instant,
    ) -> BoxFuture<'d, Dialled> {
        async move {
            let stream = reach(&*shared.net, config, deadline).await?;
            let stream = Box::new(Drained { stream, tasks: shared.tasks.clone() });
            agree(stream, config, client_config(config, first_reference), deadline).await
        }
        .boxed()
    }
}

/// A stream that is read to its end when its user has dropped it.
struct Drained {
    stream: BoxStream,
    tasks: Tasks,
}

impl Drop for Drained {
    fn drop(&mut self) {
        let mut stream = std::mem::replace(&mut self.stream, Box::new(empty()));
        self.tasks.spawn(TaskKind::Station, async move {
            // Late answers are nobody's; after them the PLC hangs up.
            let _ = copy(&mut stream, &mut sink()).await;
        });
    }
}

impl AsyncRead for Drained {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl AsyncWrite for Drained {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
