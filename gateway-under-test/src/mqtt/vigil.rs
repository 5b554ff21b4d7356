//! When a connection is to be asked for a sign of life, and when it is to be given up. Pure.

use std::time::Duration;

use tokio::time::Instant;

/// What is to be done when nothing else happens before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Ask for a sign of life.
    Ping,
    /// Give up: none came.
    Silent(Duration),
    /// Give up: an acknowledgement did not come.
    Unacknowledged,
    /// Give up: nothing is taken in.
    Stuck,
}

/// What one connection's deadlines are reckoned from.
#[derive(Debug)]
pub struct Vigil {
    keep_alive: Duration,
    ack_timeout: Duration,
    /// When the last packet came.
    heard: Instant,
    /// When something was last written.
    sent: Instant,
    /// When a sign of life was asked for, and nothing came since.
    asked: Option<Instant>,
    /// Since when nothing of what is to be written was taken in.
    stuck: Option<Instant>,
    /// Since when nothing is read, because enough is being done.
    deaf: Option<Instant>,
}

impl Vigil {
    /// Begins now.
    pub fn new(keep_alive: Duration, ack_timeout: Duration) -> Self {
        let now = Instant::now();
        Self { keep_alive, ack_timeout, heard: now, sent: now, asked: None, stuck: None, deaf: None }
    }

    /// Notes that a packet came.
    pub fn hear(&mut self) {
        self.heard = Instant::now();
        self.asked = None;
    }

    /// Notes that something is to be written.
    pub fn want_to_send(&mut self) {
        self.stuck.get_or_insert_with(Instant::now);
    }

    /// Notes that something was written, and whether more is to be.
    pub fn send(&mut self, more: bool) {
        self.sent = Instant::now();
        self.stuck = more.then_some(self.sent);
    }

    /// Notes that a sign of life is asked for.
    pub fn ask(&mut self) {
        self.sent = Instant::now();
        self.asked.get_or_insert(self.sent);
    }

    /// Notes whether the connection is read; the time in which it was not, once it is again. That counts as no one's delay.
    pub fn listen(&mut self, listening: bool) -> Duration {
        let now = Instant::now();
        if !listening {
            self.deaf.get_or_insert(now);
            return Duration::ZERO;
        }
        let deaf = self.deaf.take().map_or(Duration::ZERO, |since| now - since);
        self.heard = (self.heard + deaf).min(now);
        self.asked = self.asked.map(|asked| (asked + deaf).min(now));
        deaf
    }

    /// What is due next, and when; `oldest` is when the oldest unacknowledged packet was sent.
    pub fn next(&self, oldest: Option<Instant>) -> (Instant, Due) {
        let stuck = self.stuck.map(|since| (since + self.ack_timeout, Due::Stuck));
        let (life, acknowledged) = if self.deaf.is_some() {
            // Nothing can be heard; the broker still wants to hear of us.
            ((self.sent + self.keep_alive, Due::Ping), None)
        } else {
            (self.life(), oldest.map(|sent| (sent + self.ack_timeout, Due::Unacknowledged)))
        };
        let others = [stuck, acknowledged].into_iter().flatten();
        others.fold(life, |first, other| if other.0 < first.0 { other } else { first })
    }

    fn life(&self) -> (Instant, Due) {
        match self.asked {
            Some(asked) => {
                let patience = self.keep_alive * 3 / 2;
                (asked + patience, Due::Silent(patience))
            }
            None => (self.heard.min(self.sent) + self.keep_alive, Due::Ping),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn vigil() -> Vigil {
        Vigil::new(30 * SECOND, 10 * SECOND)
    }

    fn next(vigil: &Vigil, oldest: Option<Instant>) -> (u64, Due) {
        let (at, due) = vigil.next(oldest);
        ((at - Instant::now()).as_secs(), due)
    }

    #[tokio::test(start_paused = true)]
    async fn a_broker_that_is_only_written_to_is_asked_and_then_given_up() {
        let mut vigil = vigil();
        advance(20 * SECOND).await;
        vigil.send(false);
        assert_eq!(next(&vigil, None), (10, Due::Ping));
        advance(10 * SECOND).await;
        vigil.ask();
        vigil.send(false);
        assert_eq!(next(&vigil, None), (45, Due::Silent(45 * SECOND)));
        vigil.hear();
        assert_eq!(next(&vigil, None), (30, Due::Ping));
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_deadline_counts() {
        let mut vigil = vigil();
        let sent = Instant::now();
        advance(4 * SECOND).await;
        assert_eq!(next(&vigil, Some(sent)), (6, Due::Unacknowledged));
        vigil.want_to_send();
        assert_eq!(next(&vigil, None), (10, Due::Stuck));
        advance(SECOND).await;
        vigil.send(true);
        assert_eq!(next(&vigil, None), (10, Due::Stuck));
        vigil.send(false);
        assert_eq!(next(&vigil, None), (25, Due::Ping));
    }

    #[tokio::test(start_paused = true)]
    async fn time_in_which_nothing_is_read_is_no_delay_of_the_brokers() {
        let mut vigil = vigil();
        advance(5 * SECOND).await;
        assert_eq!(vigil.listen(false), Duration::ZERO);
        assert_eq!(next(&vigil, Some(Instant::now())), (25, Due::Ping));
        advance(100 * SECOND).await;
        vigil.ask();
        vigil.send(false);
        assert_eq!(next(&vigil, None), (30, Due::Ping));
        advance(3 * SECOND).await;
        assert_eq!(vigil.listen(true), 103 * SECOND);
        assert_eq!(vigil.listen(true), Duration::ZERO);
        assert_eq!(next(&vigil, None), (45, Due::Silent(45 * SECOND)));
    }
}
