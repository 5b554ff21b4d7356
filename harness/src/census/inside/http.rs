//! Asking a target over HTTP: plain, bounded in time and size, past every proxy.

use std::time::Duration;

use ureq::Agent;

/// Bytes of an answer: a profile of a great many stacks, with room.
const ANSWER_BYTES_MAX: u64 = 32 << 20;

/// How long one answer may take, from connecting to its last byte.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// How long a target that starts may take to say whether it is ready.
const READY_WITHIN: Duration = Duration::from_secs(1);

/// Asks one service, over one connection that stays open: a new one each time would be one more thing that the target holds.
#[derive(Debug)]
pub(super) struct Http(Agent);

impl Http {
    pub(super) fn new() -> Self {
        Self(agent(ANSWER_WITHIN))
    }

    /// The body of the answer to a GET of `url`.
    ///
    /// # Errors
    /// A sentence with the URL: nobody answers, in time, with a status of success and a body of text within bounds.
    pub(super) fn get(&self, url: &str) -> Result<String, String> {
        let failed = |error: ureq::Error| format!("{url}: {error}");
        let mut answer = self.0.get(url).call().map_err(failed)?;
        answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string().map_err(failed)
    }
}

/// Whether a GET of `url` is answered with success. Blocks for up to a second.
pub fn answers(url: &str) -> bool {
    agent(READY_WITHIN).get(url).call().is_ok()
}

fn agent(within: Duration) -> Agent {
    Agent::config_builder()
        .timeout_global(Some(within))
        .max_redirects(0)
        .max_idle_connections_per_host(1)
        // A proxy of the environment leads elsewhere.
        .proxy(None)
        .build()
        .into()
}
