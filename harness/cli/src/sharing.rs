//! The options of `run` with which several machines share one run.

use std::path::PathBuf;

use watertight::runner::{Deal, Job, Options, SHARDS_MAX, Shard, ShardLines, Whole, WriteError, commit};

/// Which part of a run is played here, and where it leaves what it says.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Several machines")]
pub struct Sharing {
    /// Play the Kth of N parts; with `--seeds` its seeds are shared too; `watertight merge` joins what the parts say
    #[arg(long, value_name = "K/N")]
    shard: Option<Shard>,
    /// The same with K counted from 0, as Kubernetes counts: `$(JOB_COMPLETION_INDEX)/4`
    #[arg(long, value_name = "K/N", value_parser = from_zero, conflicts_with = "shard")]
    shard_from_zero: Option<Shard>,
    /// Write each case here as it ends, one line of JSON a case: what `watertight merge` reads, whole after any crash
    #[arg(long, value_name = "FILE")]
    ndjson: Option<PathBuf>,
    /// The commit that is played, for reports [default: as GitHub, GitLab or git have it]
    #[arg(long, value_name = "ID", env = "WATERTIGHT_COMMIT")]
    pub commit: Option<String>,
}

impl Sharing {
    /// The part that is played here.
    pub fn shard(&self) -> Shard {
        self.shard.or(self.shard_from_zero).unwrap_or(Shard::WHOLE)
    }

    /// Those of `jobs`, each played with one seed, that are played here.
    pub fn share(&self, jobs: &[Job]) -> Vec<Job> {
        let engines: Vec<_> = jobs.iter().map(|job| job.engine).collect();
        let deal = Deal::of(&engines, 1);
        let its = jobs.iter().enumerate().filter(|(at, _)| deal.gives(self.shard(), *at, 0));
        its.map(|(_, job)| job.clone()).collect()
    }

    /// Begins the file of lines, where one is wanted. `jobs` are those of all parts.
    pub fn begin(
        &self,
        jobs: &[Job],
        options: &Options,
        seeds: Option<u64>,
    ) -> Result<Option<ShardLines>, WriteError> {
        let Some(path) = &self.ndjson else { return Ok(None) };
        let whole = Whole::of(jobs, options, seeds, commit(self.commit.as_deref()));
        ShardLines::begin(path, self.shard(), whole).map(Some)
    }
}

fn from_zero(text: &str) -> Result<Shard, String> {
    let numbers = text.split_once('/').and_then(|(k, n)| Some((k.parse::<u32>().ok()?, n.parse().ok()?)));
    let shard = numbers.and_then(|(k, of)| Shard::new(k.checked_add(1)?, of));
    shard
        .ok_or_else(|| format!("expected `K/N` with 0 ≤ K < N ≤ {SHARDS_MAX}, such as `0/4`, found `{text}`"))
}
