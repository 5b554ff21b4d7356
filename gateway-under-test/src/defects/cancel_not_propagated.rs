//! D05: the outer task is cancelled, the inner one that it spawned is not.
//!
//! What it looks like: one task more for every station that a new configuration has ended, and with it all that the station
//! was: its cache, its queue of commands, its pool. Nothing of that is ever used again.
//!
//! Why it passes review: commands get a task of their own so that a long poll does not hold them up, and the station's
//! token is three lines above: the `select!` that it ends holds the spawning future. What is dropped there is the future
//! that waits, and not the task it waits for.
//!
//! The fix: no task, since a future ends with whoever holds it; or give the task the station's token: `station.stop.run(..)`.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use crate::shared::Shared;
use crate::station::Station;
use crate::station::carry_out::{CarryOut, carry_out_all};
use crate::tasks::TaskKind;

/// Carries out commands in a task of their own.
pub struct CancelNotPropagated;

impl CarryOut for CancelNotPropagated {
    fn carry_out_all<'c>(
        &'c self,
        shared: &'c Arc<Shared>,
        station: &'c Arc<Station>,
    ) -> BoxFuture<'c, Infallible> {
        let (owned, of) = (Arc::clone(shared), Arc::clone(station));
        shared.tasks.spawn(TaskKind::Station, async move { match carry_out_all(&owned, &of).await {} });
        pending().boxed()
    }
}
