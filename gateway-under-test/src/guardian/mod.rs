//! The guardian: looks at what the gateway holds, and does something about it before the system does.
//!
//! At a breach it writes down what there is, has free memory given back, and if that was not enough ends the heaviest
//! connections, one after the other. Each step has its time, and says what it found and what it left. Then comes a pause.

mod dumps;
pub(crate) mod folder;
pub(crate) mod history;
mod judge;
mod victim;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{self, Instant, MissedTickBehavior, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

pub use dumps::{DumpSink, DumpsInMemory};
pub use folder::DumpFolder;

use self::history::Sample;
use self::judge::{Breach, Thresholds, held, judge};
use self::victim::{Victim, heaviest};
use crate::config::GuardianConfig;
use crate::observe::{Resource, Vitals, by_count};
use crate::shared::Shared;
use crate::tasks::TaskKind;

/// Connections ended for one breach. More would be a restart, which others order.
const EVICTIONS_MAX: usize = 8;
/// From the end of a connection until its effect is measured.
const EFFECT_WITHIN: Duration = Duration::from_secs(1);

/// A guardian that runs.
#[derive(Debug)]
pub struct Running {
    config: GuardianConfig,
    stop: CancellationToken,
    ended: CancellationToken,
}

/// Starts the guardian.
pub fn start(shared: &Arc<Shared>, config: GuardianConfig) -> Running {
    let (stop, ended) = (shared.stop.sessions.child_token(), CancellationToken::new());
    let guardian = Guardian::new(shared, &config);
    let (until, ending) = (stop.clone(), ended.clone());
    shared.tasks.spawn(TaskKind::Guardian, async move {
        let _ended = ending.drop_guard();
        let _ = until.run_until_cancelled(guardian.watch()).await;
    });
    Running { config, stop, ended }
}

impl Running {
    /// What it was configured with.
    pub fn config(&self) -> &GuardianConfig {
        &self.config
    }

    /// Ends it, in whatever it does.
    pub async fn end(&self) {
        self.stop.cancel();
        self.ended.cancelled().await;
    }
}

struct Guardian {
    shared: Arc<Shared>,
    config: GuardianConfig,
    thresholds: Thresholds,
    dumps: Option<Arc<dyn DumpSink>>,
    /// Whether it was said that dumps cannot be written.
    complained: bool,
}

impl Guardian {
    fn new(shared: &Arc<Shared>, config: &GuardianConfig) -> Self {
        let in_folder = || {
            let folder = DumpFolder::open(&config.dumps, Arc::clone(&shared.parts.dump_files));
            folder.map(|folder| Arc::new(folder) as Arc<_>)
        };
        Self {
            shared: Arc::clone(shared),
            thresholds: Thresholds::from(config),
            dumps: shared.embedding.dumps.clone().or_else(in_folder),
            config: config.clone(),
            complained: false,
        }
    }

    async fn watch(mut self) -> std::convert::Infallible {
        let every = self.config.every;
        let mut ticks = time::interval_at(Instant::now() + every, every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut history = self.shared.parts.history.open();
        loop {
            ticks.tick().await;
            let sample = self.look();
            let breach = judge(&*history, &sample, &self.thresholds);
            match breach {
                None => history.push(sample),
                Some(breach) => {
                    self.respond(&breach, &sample).await;
                    sleep(self.config.cool_down).await;
                    history.clear();
                }
            }
        }
    }

    fn look(&self) -> Sample {
        let vitals = self.vitals();
        Sample {
            at: Instant::now(),
            heap_bytes: vitals.heap().map(|heap| heap.bytes),
            tasks: Some(vitals.tasks().unwrap_or_else(|| self.shared.tasks.alive() as u64)),
            fds: vitals.fds(),
            fds_limit: vitals.fds_limit(),
        }
    }

    async fn respond(&mut self, breach: &Breach, found: &Sample) {
        self.shared.meters.guardian_breaches.up();
        warn!(%breach, heap = ?found.heap_bytes, tasks = ?found.tasks, fds = ?found.fds, "too much is held");
        self.dump(breach).await;
        let left = self.trim(breach, found).await;
        if breach.persists(&left) {
            self.evict(breach, left).await;
        }
    }

    /// Writes down what there is, as far as there is time.
    async fn dump(&mut self, breach: &Breach) {
        let Some(sink) = self.dumps.clone() else { return };
        let within = self.config.dump_within;
        // Outside of the time, so that what was written by then counts.
        let mut written = 0;
        let all = async {
            for resource in Resource::ALL {
                let Some(text) = self.inventory(resource).await else { continue };
                let what = format!("{}-{}-{}", breach.resource, breach.word(), resource);
                sink.keep(&what, format!("{breach}\n\n{text}")).await?;
                written += 1;
                self.shared.meters.guardian_dumps.up();
            }
            Ok::<(), std::io::Error>(())
        };
        let problem = match timeout(within, all).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_elapsed) => Some(format!("not within {}", humantime::format_duration(within))),
        };
        info!(%breach, written, "what is held was written down");
        self.complain_of_dumps(problem);
    }

    /// Says once that dumps cannot be written, until one can.
    fn complain_of_dumps(&mut self, problem: Option<String>) {
        match problem {
            None => self.complained = false,
            Some(problem) if self.complained => debug!(problem, "a dump was not written"),
            Some(problem) => {
                warn!(problem, "a dump was not written; look at `guardian.dumps`; said once");
                self.complained = true;
            }
        }
    }

    async fn inventory(&self, of: Resource) -> Option<String> {
        // A part of the time, so that what takes long leaves some for the rest.
        let within = self.config.dump_within / 2;
        let measured = self.vitals().inventory(of, within).await;
        let own = || {
            let kinds = self.shared.tasks.census().into_iter();
            by_count(kinds.map(|(kind, count)| (kind.name().to_owned(), count as u64)).collect())
        };
        measured.or_else(|| (of == Resource::Tasks).then(own))
    }

    /// Has free memory given back; what is held then.
    async fn trim(&self, breach: &Breach, before: &Sample) -> Sample {
        let rss_before = self.vitals().rss_bytes();
        let trimmed = timeout(self.config.trim_within, self.vitals().trim()).await;
        let after = self.look();
        match trimmed {
            Ok(None) => debug!("nobody knows how to have memory given back"),
            Ok(Some(gave)) => {
                self.shared.meters.guardian_trims.up();
                let (held_before, held_after) =
                    (held(breach.resource, before), held(breach.resource, &after));
                let rss_after = self.vitals().rss_bytes();
                info!(%breach, gave, ?held_before, ?held_after, ?rss_before, ?rss_after, "free memory was given back");
            }
            Err(_elapsed) => warn!(within = ?self.config.trim_within, "giving memory back takes too long"),
        }
        after
    }

    /// Ends the heaviest connections, one after the other, until enough is free or the time is over.
    async fn evict(&self, breach: &Breach, mut left: Sample) {
        let deadline = Instant::now() + self.config.drain_within;
        let mut stations: Vec<u64> = Vec::with_capacity(EVICTIONS_MAX);
        for _eviction in 0..EVICTIONS_MAX {
            let Some(victim) = heaviest(&self.shared, breach.resource, &stations) else { break };
            if let Victim::Station { station, .. } = &victim {
                stations.push(station.ordinal);
            }
            left = self.evict_one(breach, &victim, left).await;
            if !breach.persists(&left) {
                info!(%breach, "enough was freed");
                return;
            }
            if Instant::now() >= deadline {
                break;
            }
        }
        warn!(%breach, left = ?held(breach.resource, &left), "too much is still held: its cause is not in the connections");
    }

    async fn evict_one(&self, breach: &Breach, victim: &Victim, before: Sample) -> Sample {
        victim.evict();
        self.shared.meters.guardian_evictions.up();
        sleep(EFFECT_WITHIN.min(self.config.drain_within)).await;
        let after = self.look();
        let (held_before, held_after) = (held(breach.resource, &before), held(breach.resource, &after));
        match victim {
            Victim::Consumer { queued_bytes, .. } => {
                warn!(queued_bytes, ?held_before, ?held_after, "the heaviest consumer was disconnected");
            }
            Victim::Station { held, station } => {
                let station = &station.config.name;
                warn!(station, held, ?held_before, ?held_after, "the heaviest station's session was ended");
            }
        }
        after
    }

    fn vitals(&self) -> &dyn Vitals {
        &*self.shared.embedding.vitals
    }
}
