//! What the models have in common.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// Runs `others` on threads of their own and `here` on this one, and waits for all.
pub(super) fn race<const N: usize>(others: [Box<dyn FnOnce()>; N], here: impl FnOnce()) {
    let others = others.map(loom::thread::spawn);
    here();
    for other in others {
        other.join().expect("loom has panicked here before");
    }
}

/// Polls once, for somebody who will not be there to be woken.
pub(super) fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// Polls once, for somebody who then loses interest.
pub(super) fn glance(mut future: impl Future + Unpin) {
    let _ = poll_once(&mut future);
}
