//! An end for a body that hangs, on the wall clock: a runtime whose time stands still would wait for ever.

use std::pin::{Pin, pin};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use watertight_probe::Tenant;

/// The body did not end within its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TimedOut;

/// Plays `body` for at most `within`. A body that blocks its thread so long cannot be stopped: then the process ends, and says
/// which test it was.
pub(super) async fn within<F: Future>(
    within: Duration,
    name: &'static str,
    body: F,
) -> Result<F::Output, TimedOut> {
    let alarm = Arc::new(Alarm::default());
    let _stop = watch(within, name, Arc::clone(&alarm));
    let mut body = pin!(body);
    std::future::poll_fn(|cx| match body.as_mut().poll(cx) {
        Poll::Ready(ending) => Poll::Ready(Ok(ending)),
        Poll::Pending => Pin::new(&*alarm).poll_rings(cx),
    })
    .await
}

#[derive(Default)]
struct Alarm(Mutex<(bool, Option<Waker>)>);

impl Alarm {
    fn poll_rings<T>(&self, cx: &mut Context<'_>) -> Poll<Result<T, TimedOut>> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.1 = Some(cx.waker().clone());
        if state.0 { Poll::Ready(Err(TimedOut)) } else { Poll::Pending }
    }

    fn ring(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 = true;
        if let Some(waker) = state.1.take() {
            waker.wake();
        }
    }
}

/// Rings after `within`, and ends the process after as long again, unless the sender that is returned is dropped.
fn watch(within: Duration, name: &'static str, alarm: Arc<Alarm>) -> Sender<()> {
    let _probe = Tenant::PROBE.enter();
    let (stop, stopped) = channel::<()>();
    std::thread::spawn(move || {
        if stopped.recv_timeout(within) != Err(RecvTimeoutError::Timeout) {
            return;
        }
        alarm.ring();
        if stopped.recv_timeout(within.max(GRACE_MIN)) == Err(RecvTimeoutError::Timeout) {
            eprintln!(
                "watertight: `{name}` blocks its thread, {within:?} after it should have ended: the process ends here"
            );
            std::process::exit(101);
        }
    });
    stop
}

/// So long at least a body has to come to its next await once its time is over.
const GRACE_MIN: Duration = Duration::from_secs(2);
