//! The one place where a task starts: each is of a kind, counted while it lives, and waited for at shutdown.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio_util::task::TaskTracker;

/// What a task is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TaskKind {
    /// Keeps one station's session up.
    Station,
    /// Asks a quiet PLC for a sign of life.
    Heartbeat,
    /// Reaps and calibrates pools.
    Housekeeping,
    /// Accepts HTTP connections.
    Accept,
    /// Serves one HTTP connection.
    Connection,
    /// Looks at what the gateway holds.
    Guardian,
    /// Keeps the connection to the MQTT broker up.
    Mqtt,
    /// Keeps the connection to Redis up.
    Redis,
    /// Writes log lines; the last to end.
    Log,
}

impl TaskKind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Station,
        Self::Heartbeat,
        Self::Housekeeping,
        Self::Accept,
        Self::Connection,
        Self::Guardian,
        Self::Mqtt,
        Self::Redis,
        Self::Log,
    ];

    /// The name in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Station => "station",
            Self::Heartbeat => "heartbeat",
            Self::Housekeeping => "housekeeping",
            Self::Accept => "accept loop",
            Self::Connection => "http connection",
            Self::Guardian => "guardian",
            Self::Mqtt => "mqtt connection",
            Self::Redis => "redis connection",
            Self::Log => "log writer",
        }
    }
}

impl fmt::Display for TaskKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The tasks of one gateway. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    /// Those that end after all others.
    last: TaskTracker,
    alive: Arc<[AtomicUsize; TaskKind::ALL.len()]>,
}

impl Tasks {
    /// Starts `task`. Nothing in the gateway starts one in another way: a task nobody counts is a leak nobody sees.
    ///
    /// The runtime records the caller's line as the place of the spawn, because every step down to tokio is
    /// `#[track_caller]`.
    #[track_caller]
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    pub fn spawn(&self, kind: TaskKind, task: impl Future<Output = ()> + Send + 'static) {
        let counted = Counted::new(Arc::clone(&self.alive), kind);
        let tracker = if kind == TaskKind::Log { &self.last } else { &self.tracker };
        drop(tracker.spawn(async move {
            let _counted = counted;
            task.await;
        }));
    }

    /// Says that no more tasks will start, and waits until all have ended but those that end last.
    pub async fn ended(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }

    /// The same for those that end last.
    pub async fn last_ended(&self) {
        self.last.close();
        self.last.wait().await;
    }

    /// How many are alive.
    pub fn alive(&self) -> usize {
        self.tracker.len() + self.last.len()
    }

    /// How many are alive of each kind that has any.
    pub fn census(&self) -> Vec<(TaskKind, usize)> {
        let alive = |kind: TaskKind| (kind, self.alive[kind as usize].load(Ordering::Relaxed));
        TaskKind::ALL.into_iter().map(alive).filter(|(_, count)| *count > 0).collect()
    }
}

/// Counts its task from spawn to end, whichever way it ends.
struct Counted {
    alive: Arc<[AtomicUsize; TaskKind::ALL.len()]>,
    kind: TaskKind,
}

impl Counted {
    fn new(alive: Arc<[AtomicUsize; TaskKind::ALL.len()]>, kind: TaskKind) -> Self {
        alive[kind as usize].fetch_add(1, Ordering::Relaxed);
        Self { alive, kind }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.alive[self.kind as usize].fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn spawn_is_recorded_at_the_callers_line() {
        let spawned: Arc<Mutex<Vec<(String, u32)>>> = Arc::default();
        let seen = Arc::clone(&spawned);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .on_task_spawn(move |task| {
                let at = task.spawned_at();
                seen.lock().expect("no panic in a hook").push((at.file().to_owned(), at.line()));
            })
            .build()
            .expect("a current-thread runtime");
        let line = runtime.block_on(async {
            let tasks = Tasks::default();
            let line = line!() + 1;
            tasks.spawn(TaskKind::Accept, async {});
            tasks.ended().await;
            line
        });
        assert_eq!(*spawned.lock().expect("no panic in a hook"), [(file!().to_owned(), line)]);
    }

    #[tokio::test]
    async fn a_task_is_counted_by_kind_until_it_ends() {
        let tasks = Tasks::default();
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        tasks.spawn(TaskKind::Heartbeat, async move { drop(ended.await) });
        assert_eq!(tasks.census(), [(TaskKind::Heartbeat, 1)]);
        drop(end);
        tasks.ended().await;
        assert_eq!(tasks.census(), []);
        assert_eq!(tasks.alive(), 0);
    }

    #[tokio::test]
    async fn a_task_that_panics_is_no_longer_counted() {
        let tasks = Tasks::default();
        tasks.spawn(TaskKind::Station, async { panic!("on purpose") });
        tasks.ended().await;
        assert_eq!(tasks.census(), []);
    }
}
