//! Whether the peer of a quiet WebSocket is still there: pings, and a deadline for what must come back.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

use crate::config::WebSocketConfig;

/// What is due.
#[derive(Debug, PartialEq, Eq)]
pub enum Due {
    /// A ping.
    Ping,
    /// The end: the last ping was not answered.
    GiveUp,
}

/// The pulse of one peer.
pub struct Pulse {
    ping: Duration,
    pong_timeout: Duration,
    asked: bool,
    timer: Pin<Box<Sleep>>,
}

impl Pulse {
    /// A peer that has just been heard of.
    pub fn new(config: &WebSocketConfig) -> Self {
        let (ping, pong_timeout) = (config.ping, config.pong_timeout);
        Self { ping, pong_timeout, asked: false, timer: Box::pin(sleep(ping)) }
    }

    /// Notes that something came; what it was does not matter.
    pub fn heard(&mut self) {
        if self.asked {
            self.asked = false;
            self.after(self.ping);
        }
    }

    /// Waits until something is due. Cancel-safe.
    pub async fn due(&mut self) -> Due {
        self.timer.as_mut().await;
        if self.asked {
            return Due::GiveUp;
        }
        self.asked = true;
        self.after(self.pong_timeout);
        Due::Ping
    }

    fn after(&mut self, wait: Duration) {
        self.timer.as_mut().reset(Instant::now() + wait);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_is_heard_is_pinged_for_ever_and_a_mute_one_is_given_up() {
        let config = WebSocketConfig::default();
        let mut pulse = Pulse::new(&config);
        let began = Instant::now();
        for _ in 0..3 {
            assert_eq!(pulse.due().await, Due::Ping);
            pulse.heard();
        }
        assert_eq!(began.elapsed().as_secs(), 3 * config.ping.as_secs());
        assert_eq!((pulse.due().await, pulse.due().await), (Due::Ping, Due::GiveUp));
        assert_eq!(began.elapsed().as_secs(), (4 * config.ping + config.pong_timeout).as_secs());
    }
}
