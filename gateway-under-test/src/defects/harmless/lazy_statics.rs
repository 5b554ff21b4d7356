//! N04: things that are made late, on their first use.
//!
//! Why it looks like a leak: well into the run, blocks appear that nobody frees until the process ends, and that is more
//! than once. A checker that asks "is there more at the end than after warm-up?" finds them, names their lines, and is right.
//!
//! Why it is none: each `LazyLock` is made once, whoever comes later finds it made. How many there are is written in the
//! source, not decided by what happens. A baseline taken after the last first use would not know of them.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::session::intake::{CopyOut, Intake, IntakePart};

/// The remainders that a cyclic redundancy check is made of.
static REMAINDERS: LazyLock<Vec<u32>> = LazyLock::new(|| (0..256).map(remainder).collect());

/// What the answer codes of a PLC mean.
static MEANINGS: LazyLock<BTreeMap<u8, String>> = LazyLock::new(|| {
    let meanings =
        [(0x05, "address out of range"), (0x06, "wrong type"), (0x0a, "no such object"), (0xff, "ok")];
    meanings.into_iter().map(|(code, meaning)| (code, meaning.to_owned())).collect()
});

/// From this session on answers are checked.
const CHECKED_FROM: u64 = 90;

/// From this session on their codes are explained.
const EXPLAINED_FROM: u64 = 115;

/// Begins to check, and to explain, when it has seen some sessions.
#[derive(Default)]
pub struct LazyStatics {
    sessions: AtomicU64,
}

impl IntakePart for LazyStatics {
    fn open(&self, _station: u64) -> Box<dyn Intake> {
        let session = self.sessions.fetch_add(1, Ordering::Relaxed);
        if session >= CHECKED_FROM {
            std::hint::black_box(REMAINDERS[(session % 256) as usize]);
        }
        if session >= EXPLAINED_FROM {
            std::hint::black_box(MEANINGS.get(&0xff));
        }
        Box::new(CopyOut)
    }
}

/// The remainder of one byte, by the polynomial of Ethernet.
fn remainder(byte: u32) -> u32 {
    (0..8).fold(byte, |rest, _bit| if rest & 1 == 1 { 0xedb8_8320 ^ (rest >> 1) } else { rest >> 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_the_known_one() {
        assert_eq!((REMAINDERS.len(), REMAINDERS[1], REMAINDERS[255]), (256, 0x7707_3096, 0x2d02_ef8d));
    }
}
