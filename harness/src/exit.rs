//! What a process exit code means: one enum, one table in the README.

use std::process::ExitCode;

/// How a run ends, as a pipeline sees it. Worst first when several apply: see [`Exit::worse`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// 0: everything bounded, or everything as the scenario expects.
    Clean = 0,
    /// 1: a leak or a broken budget (or a declared leak that was not found).
    Leak = 1,
    /// 2: bad usage, or a scenario file that does not parse or validate.
    Usage = 2,
    /// 3: inconclusive or invalid: the run says nothing about the target; worth a retry.
    Inconclusive = 3,
    /// 4: the harness itself failed.
    Harness = 4,
}

impl Exit {
    /// The one that a run of many cases ends with: usage, harness, leak, inconclusive, clean in that order.
    pub fn worse(self, other: Self) -> Self {
        let rank = |exit| match exit {
            Self::Clean => 0,
            Self::Inconclusive => 1,
            Self::Leak => 2,
            Self::Harness => 3,
            Self::Usage => 4,
        };
        if rank(self) >= rank(other) { self } else { other }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
