//! What an embedder is told of each connection, and the guard that makes sure that every beginning has its end.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tracing::error;

/// On which side of the gateway a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Side {
    /// A session with a PLC.
    Station,
    /// A connection over HTTP.
    Http,
}

/// One connection, from its start to its exit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connection<'a> {
    /// On which side.
    pub side: Side,
    /// The station's name, or what the network calls the peer.
    pub name: &'a str,
    /// Its number among all connections of this gateway.
    pub number: u64,
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// In order.
    Returned,
    /// In an error, a timeout among them.
    Failed,
    /// It was told to end: by a shutdown, by a new configuration, by the guardian.
    Cancelled,
    /// Code that served it panicked.
    Panicked,
}

/// Told of sessions and of connections to consumers, on the task that serves them and on behalf of the station, if it is one's:
/// a hook must not block. For each call of [`Hooks::on_start`] there is one of [`Hooks::on_exit`], however the connection ends.
///
/// A panic in a hook ends its connection as a panic in the gateway would, except in `on_exit`, where it is logged.
pub trait Hooks: Send + Sync {
    /// A session was set up, or a connection accepted.
    fn on_start(&self, connection: &Connection<'_>) {
        let _ = connection;
    }

    /// A PLC answered, or a consumer asked.
    fn on_message(&self, connection: &Connection<'_>) {
        let _ = connection;
    }

    /// The peer did not answer, or did not ask or read, in its time.
    fn on_timeout(&self, connection: &Connection<'_>) {
        let _ = connection;
    }

    /// It has ended, and has given back what it held.
    fn on_exit(&self, connection: &Connection<'_>, exit: Exit) {
        let _ = (connection, exit);
    }
}

/// Nobody is told of anything.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHooks;

impl Hooks for NoHooks {}

/// Sees to the end of a connection: gives back what the connection holds, and then calls [`Hooks::on_exit`], once, whether
/// the end was said ([`Cleanup::end`]) or this was dropped with the future that owned it.
pub struct Cleanup<'a, T> {
    hooks: &'a dyn Hooks,
    connection: Connection<'a>,
    exit: Exit,
    /// `None` only while it is being dropped.
    held: Option<T>,
}

impl<'a, T> Cleanup<'a, T> {
    /// Calls [`Hooks::on_start`]. `held` is what has to be given back.
    pub fn start(hooks: &'a dyn Hooks, connection: Connection<'a>, held: T) -> Self {
        // First the guard: should the hook panic, there is an exit too.
        let cleanup = Self { hooks, connection, exit: Exit::Cancelled, held: Some(held) };
        hooks.on_start(&connection);
        cleanup
    }

    /// What is held.
    pub fn held(&mut self) -> &mut T {
        self.held.as_mut().expect("held until the drop")
    }

    /// Calls [`Hooks::on_timeout`].
    pub fn timed_out(&self) {
        self.hooks.on_timeout(&self.connection);
    }

    /// The end, and how it came.
    pub fn end(mut self, exit: Exit) {
        self.will_end(exit);
    }

    /// How it will have ended when this is dropped: for whoever has more to drop before.
    pub fn will_end(&mut self, exit: Exit) {
        self.exit = exit;
    }
}

impl<T> Drop for Cleanup<'_, T> {
    fn drop(&mut self) {
        drop(self.held.take());
        let exit = if std::thread::panicking() { Exit::Panicked } else { self.exit };
        let told = catch_unwind(AssertUnwindSafe(|| self.hooks.on_exit(&self.connection, exit)));
        if told.is_err() {
            error!(connection = ?self.connection, ?exit, "the hook on_exit panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Default)]
    struct Recorded {
        said: Mutex<Vec<String>>,
        panics_on: &'static str,
    }

    impl Recorded {
        fn note(&self, what: String) {
            let panics = what == self.panics_on;
            self.said.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(what);
            assert!(!panics, "on purpose");
        }

        fn said(&self) -> Vec<String> {
            self.said.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
        }
    }

    impl Hooks for Recorded {
        fn on_start(&self, _connection: &Connection<'_>) {
            self.note("start".to_owned());
        }

        fn on_exit(&self, _connection: &Connection<'_>, exit: Exit) {
            self.note(format!("{exit:?}"));
        }
    }

    /// Says when it is given back.
    struct Token<'a>(&'a Recorded);

    impl Drop for Token<'_> {
        fn drop(&mut self) {
            self.0.note("given back".to_owned());
        }
    }

    const CONNECTION: Connection<'_> = Connection { side: Side::Http, name: "browser", number: 7 };

    fn start(hooks: &Recorded) -> Cleanup<'_, Token<'_>> {
        Cleanup::start(hooks, CONNECTION, Token(hooks))
    }

    #[test]
    fn what_was_held_is_back_before_the_one_exit_on_every_path() {
        let hooks = Recorded::default();
        start(&hooks).end(Exit::Returned);
        start(&hooks).end(Exit::Failed);
        let mut cancelled = tokio_test::task::spawn(async {
            let _cleanup = start(&hooks);
            std::future::pending::<()>().await;
        });
        assert!(cancelled.poll().is_pending());
        drop(cancelled);
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _cleanup = start(&hooks);
            panic!("on purpose");
        }));
        assert!(panicked.is_err());
        let each = |exit| ["start", "given back", exit];
        let expected = ["Returned", "Failed", "Cancelled", "Panicked"].map(each).concat();
        assert_eq!(hooks.said(), expected);
    }

    #[test]
    fn a_start_that_panics_has_its_exit_too() {
        let hooks = Recorded { panics_on: "start", ..Recorded::default() };
        assert!(catch_unwind(AssertUnwindSafe(|| start(&hooks).end(Exit::Returned))).is_err());
        assert_eq!(hooks.said(), ["start", "given back", "Panicked"]);
    }

    #[test]
    fn an_exit_that_panics_while_another_panic_unwinds_aborts_nothing() {
        let hooks = Arc::new(Recorded { panics_on: "Panicked", ..Recorded::default() });
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _cleanup = start(&hooks);
            panic!("on purpose");
        }));
        assert!(panicked.is_err());
        assert_eq!(hooks.said().len(), 3);
    }
}
