//! A waker that counts, for futures polled by hand.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use proptest::prelude::*;

/// How many sequences of operations each reference is compared over.
pub fn config() -> ProptestConfig {
    ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() }
}

/// How often it was woken.
#[derive(Debug, Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A future, and the waker it was polled with.
pub struct Polled<F> {
    future: F,
    wakes: Arc<Wakes>,
}

impl<F: Future + Unpin> Polled<F> {
    /// Not polled yet.
    pub fn new(future: F) -> Self {
        Self { future, wakes: Arc::default() }
    }

    /// Polls it.
    pub fn poll(&mut self) -> Poll<F::Output> {
        let waker = Waker::from(Arc::clone(&self.wakes));
        Pin::new(&mut self.future).poll(&mut Context::from_waker(&waker))
    }

    /// Whether it was woken.
    pub fn is_woken(&self) -> bool {
        self.wakes.0.load(Ordering::Relaxed) > 0
    }

    /// Whether nobody can wake it any more: its waker is nowhere.
    pub fn is_forgotten(&self) -> bool {
        Arc::strong_count(&self.wakes) == 1
    }

    /// Takes the future, and leaves what tells whether its waker is still somewhere.
    pub fn into_parts(self) -> (F, impl Fn() -> bool) {
        let wakes = self.wakes;
        (self.future, move || Arc::strong_count(&wakes) == 1)
    }
}
