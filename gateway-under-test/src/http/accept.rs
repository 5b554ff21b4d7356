//! The accept loop: as many connections as have a place, and patience with a system that has none to give.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};
use tokio::time::sleep;
use tracing::{info, warn};

use super::{HttpSide, connection, routes};
use crate::net::{BoxStream, Listener};
use crate::tasks::TaskKind;

/// The wait after a failed accept: without it, a process out of file descriptors would spin.
const RETRY: Duration = Duration::from_millis(100);

/// Accepts connections until the side is told to stop, then gives the listener back.
pub async fn until_stopped(
    side: Arc<HttpSide>,
    mut listener: Box<dyn Listener>,
    give_back: oneshot::Sender<Box<dyn Listener>>,
) {
    let stop = side.stop.accepting.clone();
    let _ = stop.run_until_cancelled(accept_all(side, &mut listener)).await;
    // Nobody takes it back when the whole gateway stops.
    let _ = give_back.send(listener);
}

async fn accept_all(side: Arc<HttpSide>, listener: &mut Box<dyn Listener>) {
    let router = routes::router(&side);
    let places = Arc::new(Semaphore::new(side.config.max_connections));
    let shared = &side.shared;
    loop {
        // The place first: a connection that cannot be served waits in the network's queue, not in our memory.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let (stream, peer) = accept_one(&side, listener).await;
        shared.meters.http_accepted.up();
        let serving = connection::serve(Arc::clone(&side), router.clone(), stream, peer);
        let inside = side.connections.enter();
        shared.tasks.spawn(TaskKind::Connection, async move {
            serving.await;
            drop((inside, place));
        });
    }
}

/// The next connection. An error is no reason to stop: whatever there is none of comes back when others end.
async fn accept_one(side: &HttpSide, listener: &mut Box<dyn Listener>) -> (BoxStream, String) {
    let mut burst = Burst::default();
    loop {
        match listener.accept().await {
            Ok(accepted) => {
                burst.over();
                return accepted;
            }
            Err(error) => {
                side.shared.meters.http_accept_errors.up();
                burst.failed(&error);
                sleep(RETRY).await;
            }
        }
    }
}

/// Accepts that fail one after the other: said at the first and at the end, or a full disk would follow the descriptors.
#[derive(Default)]
struct Burst {
    failed: u64,
}

impl Burst {
    fn failed(&mut self, error: &io::Error) {
        self.failed += 1;
        if self.failed == 1 {
            warn!(%error, "cannot accept connections; trying again until it works");
        }
    }

    fn over(&self) {
        if self.failed > 0 {
            info!(failed = self.failed, "accepting connections again");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    use super::*;

    /// Keeps what was logged, in order.
    #[derive(Default)]
    struct Log(Arc<Mutex<Vec<BTreeMap<&'static str, String>>>>);

    struct Fields(BTreeMap<&'static str, String>);

    impl Visit for Fields {
        fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
            self.0.insert(field.name(), format!("{value:?}"));
        }
    }

    impl Subscriber for Log {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }
        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }
        fn record(&self, _: &Id, _: &Record<'_>) {}
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn event(&self, event: &Event<'_>) {
            let mut fields = Fields(BTreeMap::new());
            event.record(&mut fields);
            self.0.lock().expect("no panic").push(fields.0);
        }
        fn enter(&self, _: &Id) {}
        fn exit(&self, _: &Id) {}
    }

    #[test]
    fn a_burst_of_failures_is_said_once_and_so_is_its_end() {
        let log = Log::default();
        let said = Arc::clone(&log.0);
        tracing::subscriber::with_default(log, || {
            let mut burst = Burst::default();
            burst.over();
            for _ in 0..1000 {
                burst.failed(&io::Error::other("too many open files"));
            }
            burst.over();
        });
        let said = said.lock().expect("no panic");
        let messages: Vec<&str> = said.iter().map(|fields| fields["message"].as_str()).collect();
        assert_eq!(
            messages,
            ["cannot accept connections; trying again until it works", "accepting connections again"]
        );
        assert_eq!((said[0]["error"].as_str(), said[1]["failed"].as_str()), ("too many open files", "1000"));
    }
}
