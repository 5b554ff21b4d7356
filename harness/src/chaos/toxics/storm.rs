//! `storm`: many connections at once, each abandoned half-way.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::chaos::toxic::Toxic;
use crate::seed::Seed;
use crate::units::Time;

link_fault! {
    /// Opens `conns` more connections over the link, at random moments within `over`, and abandons each.
    Storm, dir: "crate::chaos::toxics::both" {
        /// Connections in all.
        #[garde(range(min = 1, max = 100_000))]
        conns: u32,
        /// The span they are spread over. All at once unless said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[garde(skip)]
        over: Option<Time>,
        /// How far each gets before it is abandoned. `before_hello` unless said.
        #[serde(default)]
        #[garde(skip)]
        abandon: Abandon,
    }
}

/// How far a connection gets before it is abandoned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Abandon {
    /// Connected, and not a byte sent.
    #[default]
    BeforeHello,
    /// Its first message is sent whole; the answer is not awaited.
    AfterHello,
    /// Half of its first message is sent.
    MidFrame,
}

impl Abandon {
    /// What such a connection sends of `hello` before it is dropped.
    pub fn sends(self, hello: &[u8]) -> &[u8] {
        match self {
            Self::BeforeHello => &[],
            Self::AfterHello => hello,
            Self::MidFrame => &hello[..hello.len() / 2],
        }
    }

    /// Plays the short life of one storm connection on `stream`, which is dropped at the end.
    ///
    /// # Errors
    /// Those of the stream: a connection of a storm may itself be cut.
    pub async fn play<S: AsyncWrite + Unpin>(self, mut stream: S, hello: &[u8]) -> std::io::Result<()> {
        stream.write_all(self.sends(hello)).await?;
        stream.flush().await
    }
}

impl Storm {
    /// When each connection is opened, within `length`, in order.
    pub fn openings(&self, length: Duration, dice: Seed) -> Vec<Duration> {
        let mut rng = dice.stream("openings", 0).rng();
        let over = self.over.map_or(Duration::ZERO, |over| over.0).min(length);
        let mut openings: Vec<_> = (0..self.conns).map(|_| over.mul_f64(rng.unit())).collect();
        openings.sort_unstable();
        openings
    }

    fn at_work(&self) -> Nothing {
        Nothing
    }
}

/// A storm leaves the bytes of every connection alone.
#[derive(Debug)]
struct Nothing;

impl Toxic for Nothing {}
