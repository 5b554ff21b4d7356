//! Nothing of a run stays behind, however it ends: a process of its own waits for that and removes what is left.
//!
//! Whom even the warden did not survive, the next run clears away: what belongs to a process that has ended is nobody's.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::{self, Read as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};
use std::time::Duration;

use testcontainers::bollard::Docker;
use testcontainers::bollard::query_parameters::{
    ListContainersOptionsBuilder, ListNetworksOptionsBuilder, RemoveContainerOptionsBuilder,
};
use tokio::runtime::Builder;
use tokio::time::{Instant, sleep};

use crate::engine;
use crate::labels::{OWNER, Owner, RUN, RunId};

/// The hidden first argument that makes a binary the warden of a run: see [`warden_role`].
pub const WARDEN_ROLE: &str = "__warden";

/// How often an engine that is busy is told to remove something.
const TRIES: u32 = 20;

/// Between two of those.
const TRY_PERIOD: Duration = Duration::from_millis(250);

/// How long the warden of a run that has cleared up itself may take to see that.
const SEEN_WITHIN: Duration = Duration::from_secs(5);

/// Between two looks at it.
const SEEN_PERIOD: Duration = Duration::from_millis(5);

/// Waits on its standard input for the end of the run named by `args`, and then removes every container and network of it.
///
/// The binary of a run starts itself again in this role: put it among those it dispatches to.
pub fn warden_role(args: Vec<OsString>) -> ExitCode {
    let Some(run) = args.first().and_then(|run| run.to_str()) else {
        eprintln!("{WARDEN_ROLE}: expected the run to wait for");
        return ExitCode::from(2);
    };
    // Nothing comes: it ends with the process that holds the other end.
    let _ = io::stdin().read_to_end(&mut Vec::new());
    let cleared = Builder::new_current_thread().enable_all().build().and_then(|runtime| {
        runtime.block_on(async { clear(&engine::connect().await?, |labels| is_of(labels, run)).await })
    });
    match cleared {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{WARDEN_ROLE}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The warden of one run.
#[derive(Debug)]
pub(crate) struct Warden {
    child: Child,
    /// Its end tells the warden that the run is over.
    run: Option<ChildStdin>,
}

impl Warden {
    /// Starts one. It is in nobody's process group: what ends a run with all that it has started does not reach it.
    pub(crate) fn start(run: &RunId) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args([WARDEN_ROLE, &run.0]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.process_group(0).spawn()?;
        let run = child.stdin.take();
        Ok(Self { child, run })
    }

    /// Tells it that the run is over, and waits until it has seen that nothing is left.
    pub(crate) async fn relieve(mut self) {
        drop(self.run.take());
        let deadline = Instant::now() + SEEN_WITHIN;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            sleep(SEEN_PERIOD).await;
        }
    }
}

/// Removes all that belongs to `run`.
pub(crate) async fn clear_run(docker: &Docker, run: &RunId) -> io::Result<()> {
    clear(docker, |labels| is_of(labels, &run.0)).await
}

/// Removes what runs have left whose process has ended.
pub(crate) async fn clear_stale(docker: &Docker) -> io::Result<()> {
    clear(docker, |labels| labels.get(OWNER).is_some_and(|owner| Owner::is_gone(owner))).await
}

fn is_of(labels: &HashMap<String, String>, run: &str) -> bool {
    labels.get(RUN).is_some_and(|of| of == run)
}

/// Removes every container and network of ours that `meant` says; one that is gone already is no error.
async fn clear(docker: &Docker, meant: impl Fn(&HashMap<String, String>) -> bool) -> io::Result<()> {
    let mut left = 0;
    for _ in 0..TRIES {
        let all = listed(docker).await?;
        left = 0;
        for thing in all.into_iter().filter(|thing| meant(&thing.labels)) {
            left += usize::from(!thing.is_removed(docker).await);
        }
        if left == 0 {
            return Ok(());
        }
        sleep(TRY_PERIOD).await;
    }
    Err(io::Error::other(format!("{left} containers or networks could not be removed")))
}

/// A container or a network of some run.
#[derive(Debug)]
struct Thing {
    is_container: bool,
    id: String,
    labels: HashMap<String, String>,
}

impl Thing {
    /// Removes it; `false`: it could not be removed at this try.
    async fn is_removed(&self, docker: &Docker) -> bool {
        if !self.is_container {
            return is_gone(docker.remove_network(&self.id).await);
        }
        let by_force = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        is_gone(docker.remove_container(&self.id, Some(by_force)).await)
    }
}

/// All containers of runs, whoever's, and then all networks: these can be removed once nobody is on them.
async fn listed(docker: &Docker) -> io::Result<Vec<Thing>> {
    let filters = HashMap::from([("label".to_owned(), vec![OWNER.to_owned()])]);
    let all = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
    let containers = docker.list_containers(Some(all)).await.map_err(engine::failed("list containers"))?;
    let containers = containers.into_iter().map(|container| (true, container.id, container.labels));
    let all = ListNetworksOptionsBuilder::new().filters(&filters).build();
    let networks = docker.list_networks(Some(all)).await.map_err(engine::failed("list networks"))?;
    let networks = networks.into_iter().map(|network| (false, network.id, network.labels));
    let thing = |(is_container, id, labels): (bool, Option<String>, Option<HashMap<String, String>>)| {
        Some(Thing { is_container, id: id?, labels: labels.unwrap_or_default() })
    };
    Ok(containers.chain(networks).filter_map(thing).collect())
}

/// Something that a run has in the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Belonging {
    /// `container`, or `network`.
    pub kind: &'static str,
    /// How the engine calls it.
    pub id: String,
    /// The process of the run.
    pub owner: u32,
}

/// What runs have in the engine at this moment: nothing, once all of them have ended.
///
/// # Errors
/// There is no engine.
pub fn belongings() -> io::Result<Vec<Belonging>> {
    let all = engine::aside(async || listed(&engine::connect().await?).await)?;
    let belonging = |thing: Thing| {
        let owner = Owner::pid_of(thing.labels.get(OWNER)?)?;
        let kind = if thing.is_container { "container" } else { "network" };
        Some(Belonging { kind, id: thing.id, owner })
    };
    Ok(all.into_iter().filter_map(belonging).collect())
}

fn is_gone(removed: Result<(), testcontainers::bollard::errors::Error>) -> bool {
    use testcontainers::bollard::errors::Error::DockerResponseServerError;

    matches!(removed, Ok(()) | Err(DockerResponseServerError { status_code: 404, .. }))
}
