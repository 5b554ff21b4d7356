//! Which of several machines plays which run, so that together they play each once.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::scenario::model::EngineKind;

/// The most machines that share a run.
pub const SHARDS_MAX: u32 = 1_000;

/// One of several machines that share a run: `2/4` is the second of four.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Shard {
    /// Its number, from 1.
    number: u32,
    /// How many there are.
    of: u32,
}

/// Why a text names no shard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected `K/N` with 1 ≤ K ≤ N ≤ {SHARDS_MAX}, such as `2/4`, found `{found}`")]
pub struct ShardError {
    found: String,
}

impl Shard {
    /// The only one: it plays everything.
    pub const WHOLE: Self = Self { number: 1, of: 1 };

    /// The shard with this number, from 1; `None`: there is none such.
    pub fn new(number: u32, of: u32) -> Option<Self> {
        ((1..=of).contains(&number) && of <= SHARDS_MAX).then_some(Self { number, of })
    }

    /// Its number, from 1.
    pub const fn number(self) -> u32 {
        self.number
    }

    /// How many there are.
    pub const fn of(self) -> u32 {
        self.of
    }

    /// All that there are beside it and itself, in their order.
    pub fn all(self) -> impl Iterator<Item = Self> {
        (1..=self.of).map(move |number| Self { number, ..self })
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        let numbers = text.split_once('/').and_then(|(k, n)| Some((k.parse().ok()?, n.parse().ok()?)));
        let shard = numbers.and_then(|(number, of)| Self::new(number, of));
        shard.ok_or_else(|| ShardError { found: text.to_owned() })
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> Self {
        shard.to_string()
    }
}

impl TryFrom<String> for Shard {
    type Error = ShardError;

    fn try_from(text: String) -> Result<Self, ShardError> {
        text.parse()
    }
}

/// How the runs of a list of jobs are dealt out: round and round, those on the wall clock first.
///
/// Those take minutes where the simulated ones take moments, so no machine has two more of them than another. Which of
/// them holds a run follows from the jobs, their order and the number of seeds alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deal {
    /// For each job, how many runs are dealt before its first.
    before: Vec<u64>,
}

impl Deal {
    /// Deals out one run for each of `seeds` seeds of each job; of the jobs their engines matter.
    pub fn of(engines: &[EngineKind], seeds: u64) -> Self {
        let is_simulated = |job: &usize| engines[*job] == EngineKind::Sim;
        let mut order: Vec<usize> = (0..engines.len()).collect();
        order.sort_by_key(is_simulated);
        let mut before = vec![0; engines.len()];
        for (place, job) in (0_u64..).zip(order) {
            before[job] = place * seeds;
        }
        Self { before }
    }

    /// The number of the shard, of so many, that plays the run of `job` with its seed number `seed`, from 0.
    pub fn holder(&self, job: usize, seed: u64, of: u32) -> u32 {
        let before = self.before.get(job).copied().unwrap_or_default();
        let turn = (before + seed) % u64::from(of.max(1));
        u32::try_from(turn).unwrap_or(0) + 1
    }

    /// Whether `shard` is the one that plays it.
    pub fn gives(&self, shard: Shard, job: usize, seed: u64) -> bool {
        self.holder(job, seed, shard.of) == shard.number
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_shard_is_read_and_printed_as_it_is_written() {
        for text in ["1/1", "2/4", "1000/1000"] {
            assert_eq!(text.parse::<Shard>().map(|shard| shard.to_string()).as_deref(), Ok(text));
        }
        for text in ["", "2", "0/4", "5/4", "1/0", "-1/4", "1/1001", "a/b", "2/4/8"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
        assert_eq!(
            "5/4".parse::<Shard>().unwrap_err().to_string(),
            "expected `K/N` with 1 ≤ K ≤ N ≤ 1000, such as `2/4`, found `5/4`"
        );
    }

    fn engines() -> impl Strategy<Value = Vec<EngineKind>> {
        let engine = prop_oneof![Just(EngineKind::Sim), Just(EngineKind::Process)];
        prop::collection::vec(engine, 0..40)
    }

    /// The runs of each shard that are on the wall clock, and all of them.
    fn dealt(engines: &[EngineKind], seeds: u64, of: u32) -> Vec<(u64, u64)> {
        let deal = Deal::of(engines, seeds);
        let mut counts = vec![(0, 0); of as usize];
        for (job, engine) in engines.iter().enumerate() {
            for seed in 0..seeds {
                let shards = Shard { number: 1, of }.all();
                let holders: Vec<Shard> = shards.filter(|shard| deal.gives(*shard, job, seed)).collect();
                assert_eq!(holders.len(), 1, "job {job}, seed {seed}: {holders:?}");
                let count = &mut counts[holders[0].number as usize - 1];
                count.0 += u64::from(*engine != EngineKind::Sim);
                count.1 += 1;
            }
        }
        counts
    }

    fn spread(counts: impl Iterator<Item = u64> + Clone) -> u64 {
        counts.clone().max().unwrap_or_default() - counts.min().unwrap_or_default()
    }

    proptest! {
        #[test]
        fn each_run_is_dealt_once_and_no_shard_has_two_more_of_either_kind_than_another(
            engines in engines(), seeds in 1..20_u64, of in 1..12_u32,
        ) {
            let counts = dealt(&engines, seeds, of);
            prop_assert_eq!(counts.iter().map(|(_, all)| all).sum::<u64>(), engines.len() as u64 * seeds);
            prop_assert!(spread(counts.iter().map(|(wall_clock, _)| *wall_clock)) <= 1);
            prop_assert!(spread(counts.iter().map(|(_, all)| *all)) <= 1);
        }
    }
}
