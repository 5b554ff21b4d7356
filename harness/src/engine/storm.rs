//! Storm connections: opened over a link, abandoned half-way.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::chaos::Link;
use crate::chaos::toxics::storm::Abandon;
use crate::world::Dial;

/// A storm connection that has not got through by then never will.
const PATIENCE: Duration = Duration::from_secs(5);

/// Plays storm connections; each ends by itself, at the latest after [`PATIENCE`].
#[derive(Debug, Default)]
pub(super) struct Storms(TaskTracker);

impl Storms {
    /// Opens connection `n` over `link` through `dial`, sends of `hello` what `abandon` says, and drops it.
    pub(super) fn open(&self, link: &Arc<Link>, dial: &dyn Dial, n: u32, hello: Bytes, abandon: Abandon) {
        let stream = dial.dial(n as usize);
        let link = Arc::clone(link);
        self.0.spawn(timeout(PATIENCE, async move {
            // A link that refuses or cuts a storm connection is part of the storm.
            if let Ok(stream) = stream.await {
                link.count_storm_connection();
                let _cut = abandon.play(stream, &hello).await;
            }
        }));
    }
}
