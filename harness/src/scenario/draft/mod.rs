//! A new scenario: a commented file that holds together, from a template and a target. Pure: text comes out, nothing is written.
//!
//! `template` says what may go wrong, `target` for whom, `ground` who stands where, `phases` what then stands under `cycle:`.

mod ground;
mod phases;
mod target;
mod template;

use std::fmt::Write;

use super::model::EngineKind;
use ground::Ground;

pub(super) use target::list;
pub use target::{DraftPeer, DraftTarget, OwnPeer, OwnTarget, Talk};
pub use template::Template;

/// What a new scenario is made of.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Its name, which is its file's too.
    pub name: String,
    /// What it disturbs.
    pub template: Template,
    /// Whom.
    pub target: DraftTarget,
    /// Peers beside those that every scenario of the target has.
    pub peers: Vec<DraftPeer>,
    /// What clients say to a target that is no built-in one.
    pub talk: Talk,
    /// Where clients reach it, `host:port`, if not at `{port}`.
    pub listens: Option<String>,
    /// The engines; none: all that the target plays in, but containers.
    pub engines: Vec<EngineKind>,
    /// Counted cycles; `None`: enough for the judge, and played in well under a minute.
    pub cycles: Option<usize>,
    /// Where the schema lies, from the folder of the file.
    pub schema: String,
}

/// Why no scenario can be made of that.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DraftError {
    /// The name is no scenario's name.
    #[error(
        "`{0}` cannot be a scenario's name: lower-case words and digits joined by `-`, such as `my-service`; \
         `--dir` says in which folder its file lies"
    )]
    Name(String),
    /// A peer that the built-in target does not have.
    #[error("no peer `{found}` of `{target}`; there is: {known}")]
    UnknownPeer {
        /// What was asked for.
        found: String,
        /// The target.
        target: String,
        /// What there is.
        known: String,
    },
    /// A peer of the wrong form.
    #[error(
        "the peer `{0}` needs a place: `{0}=host:port` runs already, `{0}=program arguments` is started by the run"
    )]
    PeerWithoutPlace(String),
    /// What a process connects to is its own affair, so no link can be put between.
    #[error(
        "a `pid` has its peers already: leave out the peer `{0}`, or start the target with `--target command \"..\"`"
    )]
    PeerOfPid(String),
    /// Sim plays built-in targets alone.
    #[error("`{target}` cannot play in `{engine}`; use `--engine {instead}`")]
    Engine {
        /// `a command`, `a pid`.
        target: &'static str,
        /// The engine.
        engine: &'static str,
        /// One that it plays in.
        instead: &'static str,
    },
    /// A process that runs already is left alone.
    #[error(
        "`{template}` signals the target, and a `pid` is left alone; use another template, or `--target command \"..\"`"
    )]
    LeftAlone {
        /// The template.
        template: &'static str,
    },
    /// Nobody knows where the process can be reached.
    #[error(
        "a `pid` does not say where it listens, and `{template}` needs clients; add `--listens 127.0.0.1:PORT`"
    )]
    Unreached {
        /// The template.
        template: &'static str,
    },
    /// Fewer than the judge needs.
    #[error(
        "at least {CYCLES_MIN} counted cycles are needed, found {0}: fewer cannot tell growth from noise"
    )]
    TooFewCycles(usize),
}

/// The fewest counted cycles of a file: what the language asks for.
const CYCLES_MIN: usize = 10;

/// Counted cycles in sim, where a cycle takes a millisecond.
const CYCLES_SIM: usize = 60;

/// Counted cycles on the wall clock.
const CYCLES_WALL: usize = 24;

/// Whether a scenario may be called so: worth asking before anything else is.
///
/// # Errors
/// It may not.
pub fn check_name(name: &str) -> Result<(), DraftError> {
    let is_word =
        |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if name.split('-').all(is_word) { Ok(()) } else { Err(DraftError::Name(name.to_owned())) }
}

impl Draft {
    /// The text of the file.
    ///
    /// # Errors
    /// Its parts do not go together.
    pub fn yaml(&self) -> Result<String, DraftError> {
        self.check()?;
        let ground = Ground::of(self)?;
        let mut text = self.head();
        text += &self.target_lines(&ground);
        text += &ground.world();
        text += &self.cycles_lines();
        text += &phases::lines(self.template, &ground);
        text += &self.expect_lines(&ground);
        Ok(text)
    }

    fn check(&self) -> Result<(), DraftError> {
        check_name(&self.name)?;
        if let Some(cycles) = self.cycles.filter(|cycles| *cycles < CYCLES_MIN) {
            return Err(DraftError::TooFewCycles(cycles));
        }
        let (target, template) = (&self.target, self.template.name());
        let signals = matches!(self.template, Template::ConfigReload | Template::RestartTarget);
        if matches!(target, DraftTarget::Pid(_)) && signals {
            return Err(DraftError::LeftAlone { template });
        }
        if matches!(target, DraftTarget::Pid(_)) && self.listens.is_none() {
            return Err(DraftError::Unreached { template });
        }
        if let (DraftTarget::Pid(_), Some(peer)) = (target, self.peers.first()) {
            return Err(DraftError::PeerOfPid(peer.name().to_owned()));
        }
        self.check_engines()
    }

    fn check_engines(&self) -> Result<(), DraftError> {
        let refused = |target, engine: EngineKind| {
            let instead = EngineKind::Process.name();
            Err(DraftError::Engine { target, engine: engine.name(), instead })
        };
        for engine in &self.engines {
            match (&self.target, engine) {
                (DraftTarget::Command(_), EngineKind::Sim) => return refused("a command", *engine),
                (DraftTarget::Pid(_), EngineKind::Sim | EngineKind::Container) => {
                    return refused("a pid", *engine);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn engines(&self) -> Vec<EngineKind> {
        match (&self.engines[..], &self.target) {
            ([], DraftTarget::Own(_)) => vec![EngineKind::Sim, EngineKind::Process],
            ([], _) => vec![EngineKind::Process],
            (asked, _) => asked.to_vec(),
        }
    }

    fn head(&self) -> String {
        let names: Vec<&str> = self.engines().iter().map(|engine| engine.name()).collect();
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "# yaml-language-server: $schema={}", self.schema);
        text += "# What a key means: `watertight explain KEY`, such as `watertight explain until`; all there is: `watertight explain`.\n";
        let _ = writeln!(text, "version: 1\nname: {}", self.name);
        let _ = writeln!(text, "about: {}", self.template.about());
        text += match self.engines().contains(&EngineKind::Sim) {
            true => {
                "# The first is played unless `--engine` says otherwise: sim is exact and takes milliseconds, process is the real thing.\n"
            }
            false => "# The real program over real TCP, through a proxy that makes the faults.\n",
        };
        let _ = writeln!(text, "engines: [{}]", names.join(", "));
        text += "# All chance comes from the seed: equal seeds, equal runs.\nseed: 7\n\n";
        text
    }

    fn target_lines(&self, ground: &Ground) -> String {
        let mut text = "# The service under test.\n".to_owned();
        match &self.target {
            DraftTarget::Own(own) => {
                let _ = writeln!(text, "target: {}", own.name);
                return text;
            }
            DraftTarget::Pid(pid) => {
                text += "# It runs already: it is looked at, and neither started, ended nor signalled.\n";
                let _ = writeln!(text, "target:\n  pid: {pid}");
            }
            DraftTarget::Command(words) => {
                text += "# `{port}` is a free port of loopback; `{peers.NAME}` where it reaches that peer, through the link.\n";
                let _ = writeln!(text, "target:\n  command: {}", target::list(words));
            }
        }
        for (name, value) in ground.env() {
            let _ = writeln!(text, "  env: {{ {name}: {} }}", target::scalar(&value));
        }
        if let Some(listens) = &self.listens {
            let _ = writeln!(text, "  # Where clients connect.\n  listens: {}", target::scalar(listens));
        }
        text +=
            "  # Without a view inside only descriptors and threads are judged. Uncomment what it serves:\n";
        text += "  # inside: { prometheus: { url: \"http://127.0.0.1:9100/metrics\", tasks: TASKS_METRIC, heap: HEAP_BYTES_METRIC } }\n";
        text
    }

    fn cycles_lines(&self) -> String {
        let (sim, wall) = (self.cycles.unwrap_or(CYCLES_SIM), self.cycles.unwrap_or(CYCLES_WALL));
        let pace = if matches!(self.target, DraftTarget::Own(_)) { 25 } else { 20 };
        format!(
            "\n# Warm-up lets caches fill; the counted cycles are judged. On the wall clock there are fewer, and `pace` divides every time.\n\
             cycles: {{ warm_up: 5, count: {sim}, wall: {{ warm_up: 4, count: {wall}, pace: {pace} }} }}\n"
        )
    }

    fn expect_lines(&self, ground: &Ground) -> String {
        let mut text = "\n# Growth at rest is judged without being asked for. These are budgets at every moment: make them your own.\nexpect:\n".to_owned();
        match &self.target {
            DraftTarget::Own(_) => {
                text += "  always: { tasks: { max: 500 }, fds: { max: 500 }, heap: { max: 64MiB } }\n";
            }
            _ => text += "  always: { fds: { max: 500 }, threads: { max: 200 } }\n",
        }
        let reloads = self.template == Template::ConfigReload && ground.is_own();
        if reloads {
            text += "  # A reload that does not happen makes the run invalid.\n  each_cycle: { reloads: { min: 2 } }\n";
        }
        text
    }
}
