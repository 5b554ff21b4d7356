//! Sessions follow one another; what belongs to an old one must not reach the new one, however late it comes.

use crate::mutant::mutated;
use crate::sync::{Arc, Mutex, lock};

/// Counts the sessions of one peer: at most one is current. Clones count together.
///
/// ```
/// use gateway_lifecycle::Generations;
///
/// let generations = Generations::new();
/// let first = generations.open();
/// assert_eq!(first.while_current(|| "stored"), Some("stored"));
/// let second = generations.open();
/// assert_eq!(first.while_current(|| "stored"), None);
/// assert!(second.is_current());
/// ```
#[derive(Debug, Clone, Default)]
pub struct Generations {
    sessions: Arc<Mutex<Sessions>>,
}

#[derive(Debug, Default)]
struct Sessions {
    opened: u64,
    current: Option<u64>,
}

impl Generations {
    /// No session yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens a session: the stamps of all earlier ones are old from now on.
    ///
    /// Whatever runs under an earlier stamp has ended when this returns.
    pub fn open(&self) -> Stamp {
        let mut sessions = lock(&self.sessions);
        sessions.opened += 1;
        let number = sessions.opened;
        if !mutated!("generation_open_leaves_the_old_one_current") || sessions.current.is_none() {
            sessions.current = Some(number);
        }
        Stamp { sessions: Arc::clone(&self.sessions), number }
    }

    /// Ends the current session without another: every stamp is old from now on.
    pub fn close(&self) {
        lock(&self.sessions).current = None;
    }

    /// How many sessions were opened.
    pub fn opened(&self) -> u64 {
        lock(&self.sessions).opened
    }
}

/// Says which session something belongs to. Clones belong to the same one.
#[derive(Debug, Clone)]
pub struct Stamp {
    sessions: Arc<Mutex<Sessions>>,
    number: u64,
}

impl Stamp {
    /// Which session, counted from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Whether the session is the current one. It may be old before the caller has looked at the answer: to act on it, take
    /// [`while_current`](Self::while_current).
    pub fn is_current(&self) -> bool {
        lock(&self.sessions).current == Some(self.number)
    }

    /// Runs `action` if the session is the current one, and keeps it so meanwhile: [`open`](Generations::open) and
    /// [`close`](Generations::close) wait.
    ///
    /// Keep it short, and let it not touch these [`Generations`] again: it would wait for itself.
    pub fn while_current<R>(&self, action: impl FnOnce() -> R) -> Option<R> {
        let sessions = lock(&self.sessions);
        if sessions.current != Some(self.number) && !mutated!("generation_takes_any_stamp") {
            return None;
        }
        if mutated!("generation_checks_then_acts") {
            drop(sessions);
            return Some(action());
        }
        let result = action();
        drop(sessions);
        Some(result)
    }
}
