//! The target in its container.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use rustix::process::Signal;
use testcontainers::bollard::Docker;
use testcontainers::bollard::query_parameters::{
    InspectContainerOptions, KillContainerOptionsBuilder, WaitContainerOptions,
};
use testcontainers::{ContainerAsync, GenericImage};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use watertight::housing::{End, OutOfMemory, Output, Resident};
use watertight::units::Size;
use watertight::world::BoxFuture;

use crate::cgroup::Cgroup;
use crate::engine::failed;

/// How often the kernel's figures are looked at, whoever asks for them: they are gone when the target is.
const LOOK_PERIOD: Duration = Duration::from_millis(250);

/// A container that was started. Dropping it removes it.
pub(crate) struct Contained {
    container: ContainerAsync<GenericImage>,
    docker: Docker,
    pid: Option<u32>,
    address: Ipv4Addr,
    cgroup: Option<Cgroup>,
    end: watch::Receiver<Option<End>>,
    asked_for_outputs: bool,
}

impl fmt::Debug for Contained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contained")
            .field("id", &self.container.id())
            .field("pid", &self.pid)
            .finish_non_exhaustive()
    }
}

impl Contained {
    /// Looks at `container`, which has been started on the network called `network` and may have ended since.
    pub(crate) async fn of(
        container: ContainerAsync<GenericImage>,
        docker: &Docker,
        network: &str,
        limit_bytes: u64,
    ) -> io::Result<Self> {
        let inspected = docker.inspect_container(container.id(), None::<InspectContainerOptions>).await;
        let inspected = inspected.map_err(failed("look at a container"))?;
        let pid = inspected.state.and_then(|state| state.pid).and_then(|pid| u32::try_from(pid).ok());
        let pid = pid.filter(|pid| *pid != 0);
        let networks = inspected.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
        let address = networks.get(network).and_then(|endpoint| endpoint.ip_address.as_deref()?.parse().ok());
        let cgroup = pid.and_then(Cgroup::of);
        let (told, end) = watch::channel(None);
        let watched = Watched { docker: docker.clone(), id: container.id().to_owned(), limit_bytes };
        // watertight: allow(detached-spawn): it ends with the container, which somebody always ends, if need be the warden
        tokio::spawn(watched.until_it_ends(cgroup.clone(), told));
        Ok(Self {
            container,
            docker: docker.clone(),
            pid,
            // One that has ended already has none, and is asked for nothing.
            address: address.unwrap_or(Ipv4Addr::UNSPECIFIED),
            cgroup,
            end,
            asked_for_outputs: false,
        })
    }

    /// How the engine calls it.
    pub(crate) fn id(&self) -> &str {
        self.container.id()
    }

    /// Where it is on its network.
    pub(crate) fn own_address(&self) -> Ipv4Addr {
        self.address
    }
}

impl Resident for Contained {
    fn outputs(&mut self) -> Option<[Output; 2]> {
        if std::mem::replace(&mut self.asked_for_outputs, true) {
            return None;
        }
        Some([Box::new(self.container.stdout(true)), Box::new(self.container.stderr(true))])
    }

    fn pid(&self) -> Option<u32> {
        self.pid
    }

    fn address(&self) -> IpAddr {
        self.address.into()
    }

    /// STOP and CONT freeze and thaw the container, whoever is in it; any other reaches its first process.
    fn signal(&mut self, signal: Signal) -> BoxFuture<'_, bool> {
        Box::pin(async move {
            match signal {
                Signal::STOP => self.container.pause().await.is_ok(),
                // One that does not stand still needs nobody to let it go on.
                Signal::CONT => self.container.unpause().await.is_ok() || self.end.borrow().is_none(),
                other => {
                    let options =
                        KillContainerOptionsBuilder::new().signal(&other.as_raw().to_string()).build();
                    self.docker.kill_container(self.container.id(), Some(options)).await.is_ok()
                }
            }
        })
    }

    fn ended(&mut self) -> Option<End> {
        self.end.borrow().clone()
    }

    fn wait(&mut self) -> BoxFuture<'_, io::Result<End>> {
        Box::pin(async {
            let lost = || io::Error::other("nobody waits for the container's end any more");
            self.end.wait_for(Option::is_some).await.ok().and_then(|end| end.clone()).ok_or_else(lost)
        })
    }

    fn gauges(&self) -> BTreeMap<String, f64> {
        self.cgroup.as_ref().map(Cgroup::gauges).unwrap_or_default()
    }
}

/// A container whose end is waited for.
struct Watched {
    docker: Docker,
    id: String,
    limit_bytes: u64,
}

impl Watched {
    /// Tells how it ended, once it has; until then it keeps in mind how much memory it had.
    async fn until_it_ends(self, cgroup: Option<Cgroup>, told: watch::Sender<Option<End>>) {
        let peak_bytes = Arc::new(AtomicU64::new(0));
        let end = tokio::select! {
            end = self.end() => end,
            never = look(cgroup.as_ref(), &peak_bytes) => never,
        };
        let end = self.described(end, peak_bytes.load(Ordering::Relaxed)).await;
        // Whoever wanted to know may have gone.
        let _ = told.send(Some(end));
    }

    /// Its exit code, or why there is none to be had.
    async fn end(&self) -> Result<i64, String> {
        use testcontainers::bollard::errors::Error::DockerContainerWaitError;

        let mut waits = self.docker.wait_container(&self.id, None::<WaitContainerOptions>);
        match waits.next().await {
            Some(Ok(answer)) => Ok(answer.status_code),
            Some(Err(DockerContainerWaitError { code, .. })) => Ok(code),
            Some(Err(error)) => Err(error.to_string()),
            None => Err("the engine does not say how it ended".to_owned()),
        }
    }

    async fn described(&self, code: Result<i64, String>, peak_bytes: u64) -> End {
        let code = match code {
            Ok(code) => code,
            Err(how) => return End { how, success: false, out_of_memory: None },
        };
        let state = self.docker.inspect_container(&self.id, None::<InspectContainerOptions>).await;
        let killed_for_memory =
            state.ok().and_then(|inspected| inspected.state?.oom_killed).unwrap_or_default();
        let out_of_memory = killed_for_memory
            .then(|| OutOfMemory { limit_bytes: self.limit_bytes, evidence: evidence(code, peak_bytes) });
        End { how: how(code), success: code == 0, out_of_memory }
    }
}

/// What was seen of a kill for memory; a target that ended at once was not looked at before.
fn evidence(code: i64, peak_bytes: u64) -> String {
    let said = format!("the engine says OOMKilled, exit code {code}");
    if peak_bytes == 0 { said } else { format!("{said}; at most {} in use when last seen", Size(peak_bytes)) }
}

/// Keeps the highest figure; never ends.
async fn look(cgroup: Option<&Cgroup>, peak_bytes: &AtomicU64) -> ! {
    let mut looks = interval(LOOK_PERIOD);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let bytes = cgroup.and_then(Cgroup::memory_peak_bytes).unwrap_or_default();
        peak_bytes.fetch_max(bytes, Ordering::Relaxed);
    }
}

/// An exit code, as a process's status is put into words.
fn how(code: i64) -> String {
    let signal = i32::try_from(code - 128).ok().and_then(Signal::from_named_raw);
    match signal {
        Some(signal) if code >= 128 => {
            let name = format!("{signal:?}");
            let name = name.trim_matches('"').trim_start_matches("Signal::");
            format!("exit code {code}, as of SIG{name}")
        }
        _ => format!("exit status: {code}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_code_says_which_signal_it_may_stand_for() {
        assert_eq!(how(0), "exit status: 0");
        assert_eq!(how(1), "exit status: 1");
        assert_eq!(how(137), "exit code 137, as of SIGKILL");
    }
}
