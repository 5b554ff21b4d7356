//! `slice`: what was written together arrives in pieces.

use std::time::Duration;

use tokio::time::Instant;

use crate::chaos::toxic::{Gate, Moment, Toxic};
use crate::units::{Size, Time};

link_fault! {
    /// Hands bytes on in pieces of at most `bytes`, one each `delay`: a reader that takes one read for one message is found
    /// out. Without `delay` pieces follow one another at once, and a kernel may join them again.
    Slice, dir: "crate::chaos::toxics::both" {
        /// The size of a piece, at least 1B.
        #[garde(custom(some_bytes))]
        bytes: Size,
        /// From one piece to the next. None unless said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[garde(skip)]
        delay: Option<Time>,
    }
}

fn some_bytes(bytes: &Size, _: &()) -> garde::Result {
    if bytes.0 == 0 {
        Err(garde::Error::new("must be at least 1B; `mute` lets nothing through"))
    } else {
        Ok(())
    }
}

impl Slice {
    fn at_work(&self) -> Knife {
        let piece = usize::try_from(self.bytes.0).unwrap_or(usize::MAX).max(1);
        let delay = self.delay.map_or(Duration::ZERO, |delay| delay.0);
        Knife { piece, delay, left: piece, next: None }
    }
}

#[derive(Debug)]
struct Knife {
    piece: usize,
    delay: Duration,
    /// What may still leave of this piece.
    left: usize,
    /// When the next piece may begin; `None`: whenever bytes come.
    next: Option<Instant>,
}

impl Toxic for Knife {
    fn gate(&mut self, moment: &Moment) -> Gate {
        if self.next.is_none_or(|next| next <= moment.now) {
            self.left = self.piece;
            self.next = (moment.waiting > 0).then(|| moment.now + self.delay);
        }
        Gate::UpTo { bytes: self.left, again: self.next }
    }

    fn took(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes);
    }

    fn holds_arrived(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_piece_may_be_taken_bit_by_bit_and_the_next_comes_in_its_time() {
        let mut knife = Knife { piece: 4, delay: Duration::from_millis(5), left: 4, next: None };
        let begin = Instant::now();
        let mut allowed = |millis, take| {
            let now = begin + Duration::from_millis(millis);
            let moment = Moment { now, since: begin, idle_since: begin, passed: 0, waiting: 100 };
            let Gate::UpTo { bytes, again } = knife.gate(&moment) else { panic!("a piece at most") };
            knife.took(take);
            (bytes, again.map(|again| again - begin))
        };
        let next = Some(Duration::from_millis(15));
        assert_eq!(allowed(10, 3), (4, next));
        assert_eq!(allowed(12, 1), (1, next));
        assert_eq!(allowed(14, 0), (0, next));
        assert_eq!(allowed(15, 0), (4, Some(Duration::from_millis(20))));
    }
}
