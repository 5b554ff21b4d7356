//! One task for what has to be looked after from time to time: pools are reaped and calibrated.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::shared::Shared;
use crate::station::pool::Ages;
use crate::tasks::TaskKind;

/// From one look at the pools to the next.
const EVERY: Duration = Duration::from_secs(1);
/// Looks from one calibration to the next.
const CALIBRATE_EVERY: u32 = 10;

/// Starts the task; it ends with the sessions.
pub fn start(shared: &Arc<Shared>) {
    let keeping = Arc::clone(shared);
    shared.tasks.spawn(TaskKind::Housekeeping, async move {
        let stop = keeping.stop.sessions.clone();
        let _ = stop.run_until_cancelled(keep_house(&keeping)).await;
    });
}

async fn keep_house(shared: &Shared) -> std::convert::Infallible {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut cpu = CpuShare::begin(shared);
    loop {
        for look in 0..CALIBRATE_EVERY {
            ticks.tick().await;
            reap(shared);
            if look == 0 {
                calibrate(shared, cpu.next(shared));
            }
        }
    }
}

fn reap(shared: &Shared) {
    for station in shared.stations.list().iter() {
        let pool = &station.config.pool;
        station.pool.reap(Ages { lifetime: pool.lifetime, idle: pool.idle });
    }
}

fn calibrate(shared: &Shared, cpu: Option<f64>) {
    for station in shared.stations.list().iter() {
        station.pool.calibrate(cpu, station.status.take_latency());
    }
}

/// The share of the processor in use between two looks.
struct CpuShare {
    used: Option<Duration>,
    at: Instant,
}

impl CpuShare {
    fn begin(shared: &Shared) -> Self {
        Self { used: shared.net.cpu().used(), at: Instant::now() }
    }

    /// The share since the last look, of all cores together.
    fn next(&mut self, shared: &Shared) -> Option<f64> {
        let now = Self::begin(shared);
        let (wall, before) = (now.at - self.at, std::mem::replace(self, now).used?);
        let cores = shared.net.cpu().cores() as f64;
        let used = self.used?.saturating_sub(before);
        (!wall.is_zero()).then(|| used.as_secs_f64() / wall.as_secs_f64() / cores)
    }
}
