//! Chance that replays: every draw comes from a stream that is named, never shared.

use std::fmt;

/// The seed of a run. Same seed, same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "scenarios", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Seed(pub u64);

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Seed {
    /// The seed of the stream called `name`, number `ordinal` (a connection, a cycle).
    ///
    /// Streams are independent: adding one never changes what another draws.
    pub fn stream(self, name: &str, ordinal: u64) -> Self {
        // FNV-1a over the name, then SplitMix64's finaliser, which separates neighbouring ordinals.
        let name = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        let mut z = self.0 ^ name.rotate_left(17) ^ ordinal.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self(z ^ (z >> 31))
    }

    /// A generator that draws from this seed.
    pub fn rng(self) -> ScenarioRng {
        ScenarioRng(fastrand::Rng::with_seed(self.0))
    }
}

/// A seeded generator; the only source of chance in a run.
#[derive(Debug, Clone)]
pub struct ScenarioRng(fastrand::Rng);

impl ScenarioRng {
    /// A number in `0.0..1.0`.
    pub fn unit(&mut self) -> f64 {
        self.0.f64()
    }

    /// Whether an event of probability `p` happens; one draw whatever `p` is.
    pub fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// A whole number in `0..bound`; 0 for an empty range.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.0.u64(..bound) }
    }

    /// `base` moved by up to ± `ratio` of itself.
    pub fn jittered(&mut self, base: std::time::Duration, ratio: f64) -> std::time::Duration {
        base.mul_f64((1.0 + ratio * (2.0 * self.unit() - 1.0)).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_replay_and_differ_by_name_and_ordinal() {
        let draw = |name: &str, ordinal| Seed(7).stream(name, ordinal).rng().below(u64::MAX);
        assert_eq!(draw("flap", 1), draw("flap", 1));
        assert_ne!(draw("flap", 1), draw("flap", 2));
        assert_ne!(draw("flap", 1), draw("reset", 1));
    }
}
