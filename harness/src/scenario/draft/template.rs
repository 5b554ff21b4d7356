//! The templates: what each disturbs, and what leaks under it.

use serde::Serialize;

/// What a new scenario disturbs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Template {
    /// The network goes away and comes back.
    FlappingNetwork,
    /// Everybody is cut off at once, and a crowd connects and walks away half-way.
    ReconnectStorm,
    /// A receiver takes less than it is sent.
    SlowConsumer,
    /// The other side accepts, and says nothing.
    SilentPeer,
    /// The other side vanishes, and nobody says so.
    HalfOpen,
    /// The target is told to read its settings again.
    ConfigReload,
    /// The target is told to end, and started again.
    RestartTarget,
    /// Nothing goes wrong: load alone.
    Steady,
}

impl Template {
    /// Every template, the one to begin with first.
    pub const ALL: [Self; 8] = [
        Self::FlappingNetwork,
        Self::ReconnectStorm,
        Self::SlowConsumer,
        Self::SilentPeer,
        Self::HalfOpen,
        Self::ConfigReload,
        Self::RestartTarget,
        Self::Steady,
    ];

    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FlappingNetwork => "flapping-network",
            Self::ReconnectStorm => "reconnect-storm",
            Self::SlowConsumer => "slow-consumer",
            Self::SilentPeer => "silent-peer",
            Self::HalfOpen => "half-open",
            Self::ConfigReload => "config-reload",
            Self::RestartTarget => "restart-target",
            Self::Steady => "steady",
        }
    }

    /// The template of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|template| template.name() == name)
    }

    /// What goes wrong, in one sentence: the `about` of the file.
    pub const fn about(self) -> &'static str {
        match self {
            Self::FlappingNetwork => {
                "The network goes away and comes back; a connection that ends must leave nothing behind."
            }
            Self::ReconnectStorm => {
                "Everybody is cut off at once, and a crowd connects and walks away half-way; nothing may be left behind."
            }
            Self::SlowConsumer => {
                "A consumer reads slower than it is sent to; its backlog must stay bounded."
            }
            Self::SilentPeer => {
                "The other side accepts and then says nothing; every request must end at its deadline."
            }
            Self::HalfOpen => {
                "The other side vanishes without a word; the target must notice by itself and let go."
            }
            Self::ConfigReload => {
                "The target reads its settings again under load; nothing of the old ones may stay."
            }
            Self::RestartTarget => {
                "The target is told to stop while it works; it must end in time and come back."
            }
            Self::Steady => "Load, and nothing goes wrong; what is held at rest must stay where it is.",
        }
    }

    /// What it brings to light, for whoever chooses.
    pub const fn finds(self) -> &'static str {
        match self {
            Self::FlappingNetwork => "tasks, timers and buffers that outlive their connection",
            Self::ReconnectStorm => "half-made sessions, state per accepted connection, missing back-off",
            Self::SlowConsumer => "queues without a bound, events kept for whoever does not read",
            Self::SilentPeer => "requests without a deadline, pending entries that nobody removes",
            Self::HalfOpen => "sockets of peers that are long gone, missing keep-alive",
            Self::ConfigReload => "tasks and clients of the settings before",
            Self::RestartTarget => "an end that hangs, files and sockets that stay behind",
            Self::Steady => "what grows by itself: caches without eviction, logs, a task a tick",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_found_by_its_name() {
        for template in Template::ALL {
            assert_eq!(Template::named(template.name()), Some(template));
        }
        assert_eq!(Template::named("flapping"), None);
    }
}
