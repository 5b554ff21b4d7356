//! What the gateway holds, and may hold too much of.

use std::fmt;

/// Something that a service can run out of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// Live heap, in bytes.
    Heap,
    /// Live tasks.
    Tasks,
    /// Open file descriptors.
    Fds,
}

impl Resource {
    /// Each of them, those first that are counted fastest.
    pub const ALL: [Self; 3] = [Self::Tasks, Self::Fds, Self::Heap];

    /// The name, as in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Heap => "heap_bytes",
            Self::Tasks => "tasks",
            Self::Fds => "fds",
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
