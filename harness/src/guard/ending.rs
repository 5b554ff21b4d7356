//! How a test may end: what libtest takes, as far as it can be asked whether it failed.

use std::process::ExitCode;

/// What a test's body returns.
pub trait Ending: Sized {
    /// Whether the test has failed by itself: then nothing is judged.
    fn failed(&self) -> bool;

    /// The end of a body that has panicked as it should have: only tests that return nothing may.
    fn of_panic() -> Option<Self> {
        None
    }
}

impl Ending for () {
    fn failed(&self) -> bool {
        false
    }

    fn of_panic() -> Option<Self> {
        Some(())
    }
}

impl<T: Ending, E> Ending for Result<T, E> {
    fn failed(&self) -> bool {
        self.as_ref().map_or(true, Ending::failed)
    }
}

impl Ending for ExitCode {
    fn failed(&self) -> bool {
        *self != Self::SUCCESS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_a_failure_at_any_depth() {
        assert!(!Ok::<(), ()>(()).failed());
        assert!(Err::<(), ()>(()).failed());
        assert!(Ok::<Result<(), ()>, ()>(Err(())).failed());
        assert!(ExitCode::FAILURE.failed() && !ExitCode::SUCCESS.failed());
    }
}
