//! How much of the processor the gateway has used: asked of the system by the program, not known in a simulation.

use std::time::Duration;

/// Where the figures come from.
pub trait Cpu: Send + Sync {
    /// Processor time used so far, of all threads together; `None` if it is not known.
    fn used(&self) -> Option<Duration>;

    /// How many cores there are.
    fn cores(&self) -> usize;
}

/// Knows nothing: for a gateway that shares its process with others, as in a simulation.
#[derive(Debug, Clone, Copy)]
pub struct Unknown;

impl Cpu for Unknown {
    fn used(&self) -> Option<Duration> {
        None
    }

    fn cores(&self) -> usize {
        1
    }
}

/// The figures of this process.
#[derive(Debug, Clone, Copy)]
pub struct OfProcess;

impl Cpu for OfProcess {
    fn used(&self) -> Option<Duration> {
        let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        let (seconds, nanos) = (u64::try_from(used.tv_sec).ok()?, u32::try_from(used.tv_nsec).ok()?);
        Some(Duration::new(seconds, nanos))
    }

    fn cores(&self) -> usize {
        std::thread::available_parallelism().map_or(1, usize::from)
    }
}
