//! Two runs with one seed must tell the same story: compared line by line as they arrive, nothing kept.

use std::fmt;
use std::io;

use crate::exit::Exit;
use crate::runner::child::{ChildRun, Ending, How, Step};
use crate::runner::{Limits, Message, RunRequest, Stop};

/// What the comparison of two runs found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comparison {
    /// Every line was equal.
    Equal {
        /// Cycles in each.
        cycles: usize,
        /// Lines compared.
        lines: usize,
    },
    /// The first line that differs.
    Differs(Difference),
    /// One of the runs did not come to its end.
    Unplayed {
        /// What it ends with.
        exit: Exit,
        /// Why, in a sentence.
        why: String,
    },
}

/// The first line in which two runs differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The line, counted from 1.
    pub line: usize,
    /// The cycle it belongs to, counted from 0, warm-up included.
    pub cycle: usize,
    /// What the first run told; `None`: it had nothing more to tell.
    pub first: Option<String>,
    /// The same of the second run.
    pub second: Option<String>,
}

impl Comparison {
    /// A run that cannot be repeated proves nothing, so a difference ends as `Inconclusive` does.
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Equal { .. } => Exit::Clean,
            Self::Differs(_) => Exit::Inconclusive,
            Self::Unplayed { exit, .. } => *exit,
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Equal { cycles, lines } => {
                write!(f, "equal timelines: {cycles} cycles, {lines} lines compared (RSS apart)")
            }
            Self::Differs(difference) => difference.fmt(f),
            Self::Unplayed { why, .. } => write!(f, "not compared: {why}"),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = |line: &Option<String>| line.clone().unwrap_or_else(|| "(nothing more)".to_owned());
        writeln!(f, "the timelines differ first in cycle {}, line {}:", self.cycle, self.line)?;
        writeln!(f, "  first run:  {}", told(&self.first))?;
        write!(f, "  second run: {}", told(&self.second))
    }
}

/// Plays `request` twice at the same time and compares. `on_cycle` hears of each cycle that was equal.
///
/// The streams are read in step, so the pipe holds back whichever run is ahead.
pub(super) async fn compare(
    request: &RunRequest,
    limits: Limits,
    stop: &Stop,
    mut on_equal: impl FnMut(&Message),
) -> io::Result<Comparison> {
    let mut first = ChildRun::start(request, limits, stop).await?;
    let mut second = ChildRun::start(request, limits, stop).await?;
    let mut comparer = Comparer::default();
    loop {
        let (one, other) = (first.next().await, second.next().await);
        let (one, other) = match (told(one), told(other)) {
            (Ok(one), Ok(other)) => (one, other),
            (Err(unplayed), _) | (_, Err(unplayed)) => return Ok(unplayed),
        };
        if let Some(difference) = comparer.compare(one.as_ref(), other.as_ref()) {
            return Ok(Comparison::Differs(difference));
        }
        let Some(message) = one else {
            return Ok(Comparison::Equal { cycles: comparer.cycles, lines: comparer.lines });
        };
        on_equal(&message);
    }
}

/// What a step tells for the comparison: a message, or that there are no more.
fn told(step: Step) -> Result<Option<Message>, Comparison> {
    let Ending { how, stderr } = match step {
        Step::Message(message) => return Ok(Some(message)),
        Step::Ended(ending) => ending,
    };
    let (exit, why) = match how {
        How::Done(report) => {
            return match report.timeline.ended {
                Some(ended) => Err(Comparison::Unplayed { exit: Exit::Inconclusive, why: ended.to_string() }),
                None => Ok(None),
            };
        }
        How::Over => (Exit::Harness, "a run soaked".to_owned()),
        How::Failed { exit, error } => (exit, error),
        How::Crashed(how) => (Exit::Harness, format!("a run {how}\n{stderr}")),
        How::Garbage(what) => (Exit::Harness, what),
        How::Hung(_) => (Exit::Inconclusive, "a run hung".to_owned()),
        How::Interrupted => (Exit::Inconclusive, "interrupted".to_owned()),
    };
    Err(Comparison::Unplayed { exit, why })
}

/// Compares two streams of messages, one pair at a time.
#[derive(Debug, Default)]
struct Comparer {
    lines: usize,
    cycles: usize,
    /// The cycle under way.
    cycle: usize,
}

impl Comparer {
    /// `None` for an equal pair; a stream that has ended gives `None` as its message.
    fn compare(&mut self, first: Option<&Message>, second: Option<&Message>) -> Option<Difference> {
        let (first, second) = (first.map(comparable), second.map(comparable));
        self.lines += usize::from(first.is_some() || second.is_some());
        let named = [&first, &second].into_iter().flatten().find_map(cycle_of);
        self.cycle = named.unwrap_or(self.cycle);
        if first == second {
            if let Some(Message::Cycle(record)) = &first {
                self.cycles += 1;
                self.cycle = record.cycle + 1;
            }
            return None;
        }
        let text = |message: Option<Message>| message.map(|message| render(&message));
        Some(Difference { line: self.lines, cycle: self.cycle, first: text(first), second: text(second) })
    }
}

/// The message without what no seed decides: how many pages the allocator and the kernel keep.
fn comparable(message: &Message) -> Message {
    let mut message = message.clone();
    if let Message::Cycle(record) = &mut message {
        record.census.rss_bytes = None;
    }
    message
}

fn cycle_of(message: &Message) -> Option<usize> {
    match message {
        Message::Cycle(record) => Some(record.cycle),
        Message::Event(event) => Some(event.cycle),
        _ => None,
    }
}

fn render(message: &Message) -> String {
    match message {
        Message::Event(event) => format!("at {:?}: {}", event.at, event.what),
        other => serde_json::to_string(other).unwrap_or_else(|_| format!("{other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::census::Census;
    use crate::runner::Event;
    use crate::timeline::CycleRecord;

    fn event(cycle: usize, what: &str) -> Message {
        Message::Event(Event { cycle, at: Duration::from_secs(3), what: what.to_owned() })
    }

    fn cycle(cycle: usize, rss: u64) -> Message {
        let census = Census { tasks: Some(4), rss_bytes: Some(rss), ..Census::default() };
        Message::Cycle(CycleRecord { cycle, at: Duration::from_secs(30), settled_after: None, census })
    }

    #[test]
    fn equal_streams_are_equal_whatever_their_rss() {
        let mut comparer = Comparer::default();
        for (one, other) in [(cycle(0, 1), cycle(0, 2)), (event(1, "cut"), event(1, "cut"))] {
            assert_eq!(comparer.compare(Some(&one), Some(&other)), None);
        }
        assert_eq!(comparer.compare(None, None), None);
        assert_eq!((comparer.lines, comparer.cycles), (2, 1));
    }

    #[test]
    fn the_first_difference_is_named_with_its_cycle() {
        let mut comparer = Comparer::default();
        assert_eq!(comparer.compare(Some(&cycle(0, 1)), Some(&cycle(0, 1))), None);
        let difference = comparer.compare(Some(&event(1, "cut")), Some(&event(1, "healed"))).unwrap();
        assert_eq!(
            difference.to_string(),
            "the timelines differ first in cycle 1, line 2:\n  first run:  at 3s: cut\n  second run: at 3s: healed"
        );
    }

    #[test]
    fn a_stream_that_ends_early_differs_in_the_cycle_under_way() {
        let mut comparer = Comparer::default();
        assert_eq!(comparer.compare(Some(&cycle(0, 1)), Some(&cycle(0, 1))), None);
        let difference = comparer.compare(None, Some(&event(1, "cut"))).unwrap();
        assert_eq!((difference.cycle, difference.line, difference.first), (1, 2, None));
    }
}
