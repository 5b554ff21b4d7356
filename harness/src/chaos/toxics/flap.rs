//! `flap`: the link goes down and comes back, over and over.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::chaos::toxic::{Admission, Cut, Gate, Moment, Toxic};
use crate::seed::Seed;
use crate::units::{Ratio, Time};

link_fault! {
    /// Takes the link down for `down` after each `up`, starting with `up`. A spell that would outlast the phase is cut
    /// short: at its end the link is up.
    Flap, dir: "crate::chaos::toxics::both" {
        /// How long the link is up.
        #[garde(custom(spell))]
        up: Time,
        /// How long it is down.
        #[garde(custom(spell))]
        down: Time,
        /// How far each spell may be off, as a part of itself. Exact unless said.
        #[serde(default = "no_jitter")]
        #[garde(skip)]
        jitter: Ratio,
        /// What "down" means. `reset` unless said.
        #[serde(default)]
        #[garde(skip)]
        mode: DownMode,
    }
}

/// The shortest spell: the clock's own grain.
const SPELL_MIN: Duration = Duration::from_millis(1);

fn spell(time: &Time, _: &()) -> garde::Result {
    if time.0 < SPELL_MIN { Err(garde::Error::new("must be at least 1ms")) } else { Ok(()) }
}

fn no_jitter() -> Ratio {
    Ratio(0.0)
}

/// What "down" means to existing connections, and to new ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DownMode {
    /// Existing ones go on; new ones are refused.
    Refuse,
    /// Existing ones are reset; new ones are refused.
    #[default]
    Reset,
    /// Existing ones are closed with a FIN; new ones are refused.
    Close,
    /// Existing ones stand still; new ones hear nothing.
    Blackhole,
    /// Existing ones stand still; new ones are accepted, and not served until the link is up.
    AcceptHang,
}

impl Flap {
    /// The spells in which the link is down, within `length`: (from, to), in order.
    pub fn spells(&self, length: Duration, dice: Seed) -> Vec<(Duration, Duration)> {
        let mut rng = dice.stream("spells", 0).rng();
        let mut draw = |time: Time| rng.jittered(time.0, self.jitter.0).max(SPELL_MIN);
        let mut spells = Vec::new();
        let mut from = draw(self.up);
        while from < length {
            let to = (from + draw(self.down)).min(length);
            spells.push((from, to));
            from = to + draw(self.up);
        }
        spells
    }

    fn at_work(&self) -> Down {
        Down(self.mode)
    }
}

#[derive(Debug)]
struct Down(DownMode);

impl Toxic for Down {
    fn on_connect(&self) -> Admission {
        match self.0 {
            DownMode::Blackhole => Admission::Hang,
            DownMode::AcceptHang => Admission::AcceptHang,
            _ => Admission::Refuse,
        }
    }

    fn gate(&mut self, _moment: &Moment) -> Gate {
        match self.0 {
            DownMode::Blackhole | DownMode::AcceptHang => Gate::Shut,
            DownMode::Refuse | DownMode::Reset | DownMode::Close => Gate::Open,
        }
    }

    fn cut(&self, moment: &Moment) -> Option<(Instant, Cut)> {
        match self.0 {
            DownMode::Reset => Some((moment.since, Cut::Reset)),
            DownMode::Close => Some((moment.since, Cut::Close)),
            DownMode::Refuse | DownMode::Blackhole | DownMode::AcceptHang => None,
        }
    }

    fn holds_arrived(&self) -> bool {
        true
    }
}
