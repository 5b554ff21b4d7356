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
        left = clear_once(docker, &meant).await?;
        if left == 0 {
            return Ok(());
        }
        sleep(TRY_PERIOD).await;
    }
    Err(io::Error::other(format!("{left} containers or networks could not be removed")))
}

/// How many could not be removed at this try.
async fn clear_once(docker: &Docker, meant: &impl Fn(&HashMap<String, String>) -> bool) -> io::Result<usize> {
    let filters = HashMap::from([("label".to_owned(), vec![OWNER.to_owned()])]);
    let mut left = 0;
    let all = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
    for container in docker.list_containers(Some(all)).await.map_err(engine::failed("list containers"))? {
        if let (true, Some(id)) = (meant(&container.labels.unwrap_or_default()), container.id) {
            let by_force = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
            left += usize::from(!is_gone(docker.remove_container(&id, Some(by_force)).await));
        }
    }
    let all = ListNetworksOptionsBuilder::new().filters(&filters).build();
    for network in docker.list_networks(Some(all)).await.map_err(engine::failed("list networks"))? {
        if let (true, Some(id)) = (meant(&network.labels.unwrap_or_default()), network.id) {
            left += usize::from(!is_gone(docker.remove_network(&id).await));
        }
    }
    Ok(left)
}

fn is_gone(removed: Result<(), testcontainers::bollard::errors::Error>) -> bool {
    use testcontainers::bollard::errors::Error::DockerResponseServerError;

    matches!(removed, Ok(()) | Err(DockerResponseServerError { status_code: 404, .. }))
}
