//! `retransmit`: packets are lost as TCP loses them: what was lost comes later, and all that follows waits for it.

use std::time::Duration;

use crate::chaos::toxic::{Chunk, Toxic};
use crate::seed::Seed;
use crate::units::{Ratio, Time};

link_fault! {
    /// Loses chunks with the chance `loss` each, and has them sent again after `rto`, after twice that if they are lost
    /// again, and so on. As TCP delivers in order, everything behind a lost chunk waits with it; no byte is lost. A chunk is
    /// what enters the link at once.
    Retransmit, dir: "crate::chaos::toxics::both" {
        /// The part of the chunks that is lost.
        #[garde(skip)]
        loss: Ratio,
        /// From a loss to the next attempt. 200ms unless said, the least that Linux waits.
        #[serde(default = "least")]
        #[garde(custom(crate::chaos::toxics::positive))]
        rto: Time,
    }
}

fn least() -> Time {
    Time(Duration::from_millis(200))
}

/// A chunk is lost at most so often: the last wait is then 32 times `rto`.
const LOSSES_MAX: u32 = 6;

impl Retransmit {
    fn at_work(&self) -> Lossy {
        Lossy { loss: self.loss.0, rto: self.rto.0 }
    }
}

#[derive(Debug)]
struct Lossy {
    loss: f64,
    rto: Duration,
}

impl Toxic for Lossy {
    fn delay(&self, chunk: Chunk, dice: Seed) -> Duration {
        let mut rng = dice.stream("loss", chunk.offset).rng();
        let losses = (0..LOSSES_MAX).take_while(|_| rng.chance(self.loss)).count();
        // 1 + 2 + 4 + ..: each wait is twice the one before.
        self.rto * ((1_u32 << losses) - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTO: Duration = Duration::from_millis(200);

    #[test]
    fn each_further_loss_doubles_the_wait_and_their_number_is_bounded() {
        let delays = |loss: f64| -> Vec<Duration> {
            let lossy = Lossy { loss, rto: RTO };
            (0..10_000).map(|offset| lossy.delay(Chunk { offset, bytes: 1 }, Seed(7))).collect()
        };
        assert!(delays(0.0).iter().all(Duration::is_zero));
        assert!(delays(1.0).iter().all(|delay| *delay == 63 * RTO));
        let some = delays(0.2);
        let times = |factor: u32| some.iter().filter(|delay| **delay == factor * RTO).count();
        // Of 10,000: 8,000 arrive, 1,600 are lost once, 320 twice; 200 and 150 are more than three standard deviations.
        assert!(
            times(0).abs_diff(8_000) < 200 && times(1).abs_diff(1_600) < 150,
            "{} {}",
            times(0),
            times(1)
        );
        assert!(times(3).abs_diff(320) < 100, "{}", times(3));
        assert_eq!(some, delays(0.2));
    }
}
