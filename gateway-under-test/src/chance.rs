//! Chance that replays: each user of it draws from a stream of its own, named by what it is for and by a number.

/// The generator of the stream `purpose`, number `ordinal`, of a run with this seed.
///
/// Streams are independent, so that one more station changes nothing for the others.
pub fn stream(seed: u64, purpose: &str, ordinal: u64) -> fastrand::Rng {
    let mut rng = fastrand::Rng::with_seed(seed);
    for byte in purpose.bytes() {
        rng = fastrand::Rng::with_seed(rng.u64(..) ^ u64::from(byte));
    }
    fastrand::Rng::with_seed(rng.u64(..) ^ ordinal)
}

#[cfg(test)]
mod tests {
    use super::stream;

    #[test]
    fn streams_replay_and_differ_by_seed_purpose_and_ordinal() {
        let draw = |seed, purpose, ordinal| stream(seed, purpose, ordinal).u64(..);
        assert_eq!(draw(7, "station", 1), draw(7, "station", 1));
        assert_ne!(draw(7, "station", 1), draw(8, "station", 1));
        assert_ne!(draw(7, "station", 1), draw(7, "station", 2));
        assert_ne!(draw(7, "station", 1), draw(7, "session", 1));
    }
}
