//! Chance: a generator for each question asked of a seed. Nothing is carried from one question to the next, so that an answer
//! depends on what was asked, never on what was asked before.

/// The chance that belongs to `seed` and these parts of a question.
pub(crate) fn rng<const PARTS: usize>(seed: u64, parts: [u64; PARTS]) -> fastrand::Rng {
    let mixed = parts.into_iter().fold(seed, |state, part| {
        fastrand::Rng::with_seed(state ^ part.wrapping_mul(0x9e37_79b9_7f4a_7c15)).u64(..)
    });
    fastrand::Rng::with_seed(mixed)
}
