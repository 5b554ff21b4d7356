//! A complaint that a peer can provoke: said at once, then counted, and the count said once in a while.

use std::time::Duration;

use tokio::time::Instant;

/// The time between two complaints of a kind.
const PERIOD: Duration = Duration::from_secs(60);

/// Complaints of one kind.
#[derive(Debug, Default)]
pub struct Seldom {
    said: Option<Instant>,
    kept_back: u64,
}

impl Seldom {
    /// Notes one more; if it is to be said now, how many were kept back since the last that was.
    pub fn note(&mut self) -> Option<u64> {
        let now = Instant::now();
        if self.said.is_some_and(|said| now < said + PERIOD) {
            self.kept_back += 1;
            return None;
        }
        self.said = Some(now);
        Some(std::mem::take(&mut self.kept_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_is_said_at_once_and_the_rest_as_a_count() {
        let mut seldom = Seldom::default();
        assert_eq!([(); 3].map(|()| seldom.note()), [Some(0), None, None]);
        tokio::time::advance(PERIOD).await;
        assert_eq!([(); 2].map(|()| seldom.note()), [Some(2), None]);
    }
}
