//! What the view shows: a value that is as large after a week as after a minute.

use std::collections::VecDeque;
use std::time::Duration;

use watertight::report::figures::{bytes, grouped};
use watertight::resource::Resource;
use watertight::watch::Floors;

/// Notes that are kept; the oldest go first.
const NOTES_MAX: usize = 50;

/// Stretches that a curve is drawn from: two for each column of a wide screen.
const CURVE_ROOM: usize = 400;

/// Everything that is shown.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// What is done: `watch`, `soak`.
    pub doing: &'static str,
    /// With whom: `pid 4711 (redis-server)`.
    pub title: String,
    /// Since it began.
    pub elapsed: Duration,
    /// How long it is to last, if that is known.
    pub lasts: Option<Duration>,
    /// How far it is, in words: `cycle 12 of 28`.
    pub progress: String,
    /// A line for each resource.
    pub rows: Vec<Row>,
    /// What the target goes through.
    pub phase: Option<Phase>,
    /// What else is known at the moment, a line each: descriptors by kind, the places that hold most.
    pub details: Vec<String>,
    /// What a reader must know to understand the figures.
    pub caution: &'static str,
    /// Which page of how many, where there are more.
    pub(super) place: Option<(usize, usize)>,
    notes: VecDeque<String>,
    selected: usize,
    paused: bool,
    version: u64,
}

/// One resource.
#[derive(Debug, Clone)]
pub struct Row {
    /// Which.
    pub resource: Resource,
    /// Its last figure.
    pub now: Option<u64>,
    /// The floor of the last window, or the figure at rest.
    pub floor: Option<u64>,
    /// How it grows, in words: `+3600 an hour`.
    pub growth: String,
    /// What is to be said of it: `↑ rising`, `clean so far`.
    pub word: String,
    /// How that is meant.
    pub tone: Tone,
    /// Where it went.
    pub curve: Floors,
}

/// How a word is meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Tone {
    /// Nothing is known yet.
    #[default]
    Quiet,
    /// As it should be.
    Good,
    /// Worth a look.
    Wary,
    /// Not as it should be.
    Bad,
}

/// What the target goes through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Phase {
    /// Its name in the scenario.
    pub name: String,
    /// The faults that are at work in it, in words.
    pub faults: Vec<String>,
}

impl Row {
    /// A resource of which nothing is known yet.
    pub fn of(resource: Resource) -> Self {
        Self {
            resource,
            now: None,
            floor: None,
            growth: String::new(),
            word: String::new(),
            tone: Tone::Quiet,
            curve: Floors::with_room(CURVE_ROOM),
        }
    }

    /// Takes in a figure.
    pub fn note(&mut self, figure: u64) {
        self.now = Some(figure);
        self.curve.note(figure);
    }

    /// A figure in the unit of this resource: bytes for RSS, else a count; of the heap, blocks.
    pub fn figure(&self, figure: u64) -> String {
        match self.resource {
            Resource::Rss => bytes(figure),
            _ => grouped(figure),
        }
    }

    /// What is counted.
    pub const fn name(&self) -> &'static str {
        match self.resource {
            Resource::Heap => "heap blocks",
            resource => resource.name(),
        }
    }
}

impl State {
    /// Nothing so far of what is done with whom.
    pub fn of(doing: &'static str, title: String, caution: &'static str) -> Self {
        Self { doing, title, caution, ..Self::default() }
    }

    /// The row of `resource`, which is made where there is none.
    pub fn row(&mut self, resource: Resource) -> &mut Row {
        let at = self.rows.iter().position(|row| row.resource >= resource).unwrap_or(self.rows.len());
        if self.rows.get(at).is_none_or(|row| row.resource != resource) {
            self.rows.insert(at, Row::of(resource));
        }
        &mut self.rows[at]
    }

    /// Adds a note.
    pub fn note(&mut self, note: String) {
        if self.notes.len() == NOTES_MAX {
            self.notes.pop_front();
        }
        self.notes.push_back(note);
    }

    /// The notes, the latest first.
    pub fn notes(&self) -> impl Iterator<Item = &str> {
        self.notes.iter().rev().map(String::as_str)
    }

    /// The row that the curve is drawn of.
    pub fn selected(&self) -> usize {
        self.selected.min(self.rows.len().saturating_sub(1))
    }

    /// Whether the picture stands still.
    pub const fn is_paused(&self) -> bool {
        self.paused
    }

    pub(super) fn select_next(&mut self) {
        self.selected = (self.selected() + 1) % self.rows.len().max(1);
        self.force();
    }

    pub(super) fn select_previous(&mut self) {
        let count = self.rows.len().max(1);
        self.selected = (self.selected() + count - 1) % count;
        self.force();
    }

    pub(super) fn pause_or_go_on(&mut self) {
        self.paused = !self.paused;
        self.force();
    }

    /// Something has changed.
    pub(super) fn touch(&mut self) {
        if !self.paused {
            self.version += 1;
        }
    }

    /// Somebody wants to see what has changed, paused or not.
    pub(super) fn force(&mut self) {
        self.version += 1;
    }

    /// Rises with everything that is to be drawn.
    pub(super) const fn version(&self) -> u64 {
        self.version
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A watch that has seen a while of a process with a leak of descriptors.
    pub fn watching() -> State {
        let mut state = State {
            doing: "watch",
            title: "pid 4711 (redis-server)".to_owned(),
            elapsed: Duration::from_secs(119),
            progress: "every 1 s".to_owned(),
            details: vec!["fds  socket 12  file 6  epoll 1".to_owned(), "tcp  ESTAB 10  LISTEN 2".to_owned()],
            caution: "a trend is no verdict: only cycles can be judged",
            ..State::default()
        };
        for look in 0..120_u64 {
            state.row(Resource::Rss).note((24 << 20) + (look % 5) * 4096);
            state.row(Resource::Fds).note(19 + look / 6);
            state.row(Resource::Threads).note(5);
        }
        let said = [
            (Resource::Fds, "↑ rising", Tone::Wary, "+600 an hour"),
            (Resource::Rss, "→ level", Tone::Good, ""),
        ];
        for (resource, word, tone, growth) in said {
            let row = state.row(resource);
            (row.word, row.tone, row.growth) = (word.to_owned(), tone, growth.to_owned());
            row.floor = row.now.map(|now| now - 1);
        }
        state.note("a note".to_owned());
        state
    }

    #[test]
    fn rows_stand_in_the_order_of_every_table() {
        let names: Vec<&str> = watching().rows.iter().map(Row::name).collect();
        assert_eq!(names, ["fds", "threads", "rss"]);
    }

    #[test]
    fn a_long_run_takes_no_more_room() {
        let mut state = State::default();
        for note in 0..1000_u64 {
            state.note(note.to_string());
            state.row(Resource::Tasks).note(note);
        }
        assert_eq!((state.notes.len(), state.notes().next()), (NOTES_MAX, Some("999")));
        assert!(state.rows[0].curve.buckets().len() <= CURVE_ROOM);
    }

    #[test]
    fn a_paused_picture_is_drawn_for_keys_alone() {
        let mut state = watching();
        state.pause_or_go_on();
        let drawn = state.version();
        state.touch();
        assert_eq!(state.version(), drawn);
        state.select_next();
        assert!(state.version() > drawn);
    }
}
