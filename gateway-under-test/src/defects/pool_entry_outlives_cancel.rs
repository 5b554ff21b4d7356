//! D01: the reader of a pooled connection outlives the pool.
//!
//! What it looks like: tasks and sockets grow by one with every connection whose user was cancelled or whose pool was
//! dropped: two a station for a reload and the one that takes it back. The PLC sees clients that never ask again, each in one of
//! its few slots, and after a dozen reloads it refuses the engineer's laptop.
//!
//! Why it passes review: the reader ends at the end of the stream and at every error, and it ends when it has read
//! something that nobody takes. But the user that is gone never asks again, so nothing comes; and the reader's half of the stream
//! is what keeps the socket open, so no end comes either.
//!
//! The fix: no task. The stream belongs to its user (or the reader to the entry in the pool: abort it in `drop`).

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::io::{copy, duplex, join, split};
use tokio::time::Instant;

use crate::config::StationConfig;
use crate::net::BoxStream;
use crate::shared::Shared;
use crate::station::dial::{Dial, Dialled, agree, client_config, reach};
use crate::tasks::{TaskKind, Tasks};

/// What may be read ahead: several of the longest PDUs.
const INBOX_BYTES: usize = 4096;

/// Reads each connection in a task of its own, so that the PLC never waits for a slow user.
pub struct PoolEntryOutlivesCancel;

impl Dial for PoolEntryOutlivesCancel {
    fn dial<'d>(
        &'d self,
        shared: &'d Shared,
        config: &'d StationConfig,
        first_reference: u16,
        deadline: Instant,
    ) -> BoxFuture<'d, Dialled> {
        async move {
            let stream = reach(&*shared.net, config, deadline).await?;
            let stream = read_ahead(&shared.tasks, stream);
            agree(stream, config, client_config(config, first_reference), deadline).await
        }
        .boxed()
    }
}

fn read_ahead(tasks: &Tasks, stream: BoxStream) -> BoxStream {
    let (mut from_plc, to_plc) = split(stream);
    let (inbox, mut outlet) = duplex(INBOX_BYTES);
    tasks.spawn(TaskKind::Station, async move {
        // Until the PLC closes, or nobody takes what was read: either way the connection is over.
        let _ = copy(&mut from_plc, &mut outlet).await;
    });
    Box::new(join(inbox, to_plc))
}
