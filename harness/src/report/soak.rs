//! What a soak has to say beside its verdict: its segments, what was captured, where the wall clock jumped.
//!
//! A child tells a [`Ground`], [`Checkpoint`]s and [`Capture`]s; the store keeps them; the report shows a [`Soak`].

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CyclePlan, figures};
use crate::census::Census;
use crate::explain::Finding;
use crate::scenario::Ignore;
use crate::scenario::model::{ExpectedLeak, ExpectedOutcome};
use crate::seconds;
use crate::timeline::{Audit, Ended, Trimmed};
use crate::verdict::{Outcome, Rules};

/// What a soak is judged by: said first by the child, which alone can read the scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ground {
    /// Budgets, allowances, what was accepted.
    pub rules: Rules,
    /// The leak that the scenario declares.
    pub leak: Option<ExpectedLeak>,
    /// The outcome that it declares.
    pub outcome: Option<ExpectedOutcome>,
    /// What it puts up with.
    pub ignore: Vec<Ignore>,
    /// The target and its defect.
    pub target: String,
    /// Whether counts are exact.
    pub exact: bool,
    /// Cycles before counting starts.
    pub warm_up: usize,
    /// What a cycle does.
    #[serde(default)]
    pub plan: Option<Box<CyclePlan>>,
}

/// What was measured beside the cycles, up to a moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Scenario time.
    pub at: Duration,
    /// The highest figures seen so far.
    pub peak: Census,
    /// Controls of the run so far.
    pub audit: Vec<Audit>,
    /// What became of resident pages, at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trimmed: Option<Trimmed>,
    /// Why it ended early, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
    /// What a reader must know to trust the figures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Why something was captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CaptureReason {
    /// The judge came to suspect something.
    Evidence,
    /// Some time after evidence, to be compared with what was captured then.
    Later,
    /// The segment is over.
    End,
}

impl CaptureReason {
    /// In a word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Evidence => "evidence",
            Self::Later => "later",
            Self::End => "end",
        }
    }
}

/// What the target held at one moment, by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Capture {
    /// The segment, counted from 0.
    pub segment: usize,
    /// Why it was taken.
    pub why: CaptureReason,
    /// The cycle after which it was taken, warm-up included.
    pub cycle: usize,
    /// Scenario time since the segment began.
    #[serde(rename = "at_seconds", with = "seconds")]
    #[schemars(with = "f64")]
    pub at: Duration,
    /// What has grown since the end of warm-up, culprits first.
    pub findings: Vec<Finding>,
    /// Every site that still grows, however small its share.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub growing: Vec<Finding>,
    /// Live tasks by the line that spawned them, the most first.
    #[serde(default)]
    pub tasks: Vec<(String, u64)>,
    /// Where one task of each such line waits.
    #[serde(default)]
    pub awaits: BTreeMap<String, Vec<String>>,
    /// Open descriptors by what they are, with whom, and in which state, the most first.
    #[serde(default)]
    pub fds: Vec<(String, u64)>,
    /// TCP sockets by state.
    #[serde(default)]
    pub tcp_states: BTreeMap<String, u64>,
    /// The last that the plan did before it, oldest first.
    #[serde(default)]
    pub events: Vec<String>,
}

/// A jump of the wall clock against the monotonic one: a laptop that slept, a clock that was set.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClockJump {
    /// Monotonic time since the segment began.
    #[serde(rename = "at_seconds", with = "seconds")]
    #[schemars(with = "f64")]
    pub at: Duration,
    /// Seconds that the wall clock went further; negative: it was set back.
    pub seconds: f64,
}

/// One process's share of a soak.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SegmentReport {
    /// When it began, in RFC 3339.
    pub began: String,
    /// Counted cycles.
    pub cycles: usize,
    /// Scenario time.
    #[serde(rename = "lasted_seconds", with = "seconds")]
    #[schemars(with = "f64")]
    pub lasted: Duration,
    /// How it ended, in words.
    pub ended: String,
    /// What it was judged to be; `None`: it was too short to be judged.
    pub outcome: Option<Outcome>,
    /// That in one sentence.
    pub headline: String,
}

/// What a soak has to say beside its verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Soak {
    /// How long it was to last.
    #[serde(rename = "asked_seconds", with = "seconds")]
    #[schemars(with = "f64")]
    pub asked: Duration,
    /// How long it lasted, all segments together.
    #[serde(rename = "lasted_seconds", with = "seconds")]
    #[schemars(with = "f64")]
    pub lasted: Duration,
    /// Counted cycles, all segments together.
    pub cycles: usize,
    /// Cycles that each entry of the report's timeline stands for: their floor.
    pub cycles_per_entry: usize,
    /// The segment, counted from 0, whose timeline stands in the report.
    pub told: usize,
    /// Every segment.
    pub segments: Vec<SegmentReport>,
    /// What was captured, oldest first.
    pub captures: Vec<Capture>,
    /// Where the wall clock jumped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clock_jumps: Vec<ClockJump>,
}

/// Captures told of on a screen.
const CAPTURES_SHOWN: usize = 4;

impl Soak {
    /// A few lines for a screen.
    pub fn lines(&self) -> Vec<String> {
        let (lasted, asked) = (figures::time(self.lasted), figures::time(self.asked));
        let cycles = figures::grouped(self.cycles as u64);
        let mut lines = vec![format!("soaked {lasted} of {asked}, {cycles} cycles")];
        if self.segments.len() > 1 {
            lines.extend(self.segments.iter().enumerate().map(|(at, segment)| segment.line(at)));
        }
        let shown = self.captures.iter().filter(|capture| capture.why != CaptureReason::End);
        lines.extend(shown.take(CAPTURES_SHOWN).map(Capture::line));
        lines.extend(self.clock_jumps.iter().take(CAPTURES_SHOWN).map(|jump| {
            let at = figures::time(jump.at);
            format!(
                "the wall clock jumped by {:+.0} s at {at}: time is taken from the monotonic one",
                jump.seconds
            )
        }));
        lines
    }
}

impl SegmentReport {
    fn line(&self, at: usize) -> String {
        let judged = self.outcome.map_or("not judged", figures::outcome);
        let (cycles, lasted) = (figures::grouped(self.cycles as u64), figures::time(self.lasted));
        format!("segment {}: {judged} over {cycles} cycles in {lasted}, {}", at + 1, self.ended)
    }
}

impl Capture {
    /// For a screen.
    pub fn line(&self) -> String {
        let mut line = format!("captured at {} (cycle {}", figures::time(self.at), self.cycle);
        let _ = write!(line, ", {})", self.why.name());
        let most = |counts: &[(String, u64)]| counts.iter().map(|(_, count)| count).sum::<u64>();
        let _ = write!(line, ": {} tasks, {} fds", most(&self.tasks), most(&self.fds));
        if let Some(first) = self.findings.first() {
            let _ = write!(line, "; {} at {}", figures::survivors(first), first.site);
        }
        line
    }
}
