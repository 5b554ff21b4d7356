//! Corruption: bytes that are not what they were.

use serde::{Deserialize, Serialize};

use super::delivery::Delivery;

/// Some bytes of the answer are flipped, each into any other value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Corrupt {
    /// How many; all that there are, where the answer has fewer.
    pub bytes: u16,
    /// The first that may be hit: 7 leaves TPKT and COTP as they are, 19 the S7 header as well.
    #[serde(default)]
    pub from: u16,
}

impl Corrupt {
    pub(super) fn apply(&self, delivery: &mut Delivery, rng: &mut fastrand::Rng) {
        for chunk in &mut delivery.chunks {
            let Some(bytes) = chunk.bytes.get_mut(usize::from(self.from)..) else { continue };
            let mut places: Vec<usize> = (0..bytes.len()).collect();
            rng.shuffle(&mut places);
            for place in places.into_iter().take(usize::from(self.bytes)) {
                bytes[place] ^= rng.u8(1..);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;

    fn corrupt(bytes: u16, from: u16, seed: u64) -> Vec<u8> {
        let mut delivery = Delivery::whole(BytesMut::zeroed(40));
        Corrupt { bytes, from }.apply(&mut delivery, &mut fastrand::Rng::with_seed(seed));
        delivery.chunks[0].bytes.to_vec()
    }

    #[test]
    fn as_many_bytes_as_told_are_wrong_and_none_before_the_first_allowed() {
        for seed in 0..100 {
            let found = corrupt(3, 7, seed);
            assert_eq!(found.iter().filter(|&&byte| byte != 0).count(), 3, "{found:?}");
            assert_eq!(found[..7], [0; 7]);
        }
        assert_eq!(corrupt(3, 7, 1), corrupt(3, 7, 1));
        assert_ne!(corrupt(3, 7, 1), corrupt(3, 7, 2));
    }

    #[test]
    fn more_than_there_are_is_all_and_nothing_is_nothing() {
        assert!(corrupt(9999, 0, 1).iter().all(|&byte| byte != 0));
        assert_eq!(corrupt(9999, 40, 1), [0; 40]);
        assert_eq!(corrupt(9999, 41, 1), [0; 40]);
    }
}
