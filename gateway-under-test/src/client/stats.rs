//! What one connection has seen.

/// Counts since the connection was set up, and what is held now.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct ClientStats {
    /// Requests asked.
    pub requests: u64,
    /// Answers that matched their request, refusals among them.
    pub answers: u64,
    /// Requests that were not answered in time.
    pub timeouts: u64,
    /// Requests that their caller did not wait for: the future was dropped.
    pub abandoned: u64,
    /// Answers to requests in quarantine, dropped unread.
    pub late_answers: u64,
    /// References in quarantine now.
    pub quarantined: usize,
}
