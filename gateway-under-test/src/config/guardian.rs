//! The guardian: from when on the gateway does something about what it holds.

use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use garde::Validate;
use serde::Deserialize;

use super::{check, span};

/// The guardian. It compares what the gateway holds with these limits, and when one is passed it writes down what there
/// is, has free memory given back, and ends the heaviest connections, in this order and as far as it takes.
#[derive(Debug, Clone, PartialEq, Deserialize, Validate)]
#[serde(deny_unknown_fields, default)]
#[garde(allow_unvalidated)]
pub struct GuardianConfig {
    /// How often it looks. A rise is judged over twelve looks.
    #[serde(with = "span")]
    #[garde(custom(check::period))]
    pub every: Duration,
    /// Live heap; counted only in builds with the feature `probe`.
    pub heap: HeapLimits,
    /// Live tasks.
    #[garde(dive)]
    pub tasks: TaskLimits,
    /// Open file descriptors.
    #[garde(dive)]
    pub fds: FdLimits,
    /// What is written down.
    #[garde(dive)]
    pub dumps: DumpsConfig,
    /// How long writing down may take.
    #[serde(with = "span")]
    #[garde(custom(check::period))]
    pub dump_within: Duration,
    /// How long giving memory back may take.
    #[serde(with = "span")]
    #[garde(custom(check::period))]
    pub trim_within: Duration,
    /// How long connections are ended, one after the other.
    #[serde(with = "span")]
    #[garde(custom(check::period))]
    pub drain_within: Duration,
    /// How long nothing more is done afterwards, so that what was done can show its effect.
    #[serde(with = "span")]
    #[garde(custom(check::period))]
    pub cool_down: Duration,
}

/// Limits of live heap.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HeapLimits {
    /// More is too much.
    pub max: ByteSize,
    /// A rise that goes on faster is too fast.
    pub growth_per_minute: ByteSize,
}

/// Limits of live tasks.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct TaskLimits {
    /// More are too many.
    #[garde(range(min = 1))]
    pub max: u64,
    /// A rise that goes on faster is too fast.
    #[garde(range(min = 1))]
    pub growth_per_minute: u64,
}

/// Limits of open file descriptors.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct FdLimits {
    /// More than this share of what the system allows are too many.
    #[garde(range(min = 0.01, max = 1.0))]
    pub max: f64,
}

/// Where dumps are written, and how much of them is kept.
#[derive(Debug, Clone, PartialEq, Deserialize, Validate)]
#[serde(deny_unknown_fields, default)]
#[garde(allow_unvalidated)]
pub struct DumpsConfig {
    /// The folder; without it nothing is written.
    pub dir: Option<PathBuf>,
    /// Bytes of all dumps together; the oldest go first.
    #[garde(custom(check::dump_bytes))]
    pub max_bytes: ByteSize,
    /// Dumps at once; the oldest go first.
    #[garde(range(min = 3, max = 10_000))]
    pub max_files: usize,
}

impl Default for GuardianConfig {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(5),
            heap: HeapLimits::default(),
            tasks: TaskLimits::default(),
            fds: FdLimits::default(),
            dumps: DumpsConfig::default(),
            dump_within: Duration::from_secs(3),
            trim_within: Duration::from_secs(8),
            drain_within: Duration::from_secs(30),
            cool_down: Duration::from_secs(5 * 60),
        }
    }
}

impl Default for HeapLimits {
    fn default() -> Self {
        Self { max: ByteSize::gib(1), growth_per_minute: ByteSize::mib(64) }
    }
}

impl Default for TaskLimits {
    fn default() -> Self {
        Self { max: 100_000, growth_per_minute: 10_000 }
    }
}

impl Default for FdLimits {
    fn default() -> Self {
        Self { max: 0.9 }
    }
}

impl Default for DumpsConfig {
    fn default() -> Self {
        Self { dir: None, max_bytes: ByteSize::mib(64), max_files: 30 }
    }
}
