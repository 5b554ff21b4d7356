//! D03: a request to a silent PLC waits for ever.
//!
//! What it looks like: one task more for every command that was under way when its PLC fell silent, and with it the
//! connection, its two buffers and the entry of a caller who has long been told that nothing was confirmed. Once 128 such entries
//! stand in a station's table, every further command is refused, on a PLC that is in perfect health.
//!
//! Why it passes review: there is a deadline. `commands.timeout` is in the configuration, in the manual, and in the test
//! that shows the caller getting its answer in time. It ends the caller's wait; the request it does not know.
//!
//! The fix: the deadline belongs to the request, and ends the connection: `request_timeout` as configured. The caller's own is the
//! second one.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use crate::client::{Client, ClientConfig, REQUEST_TIMEOUT_MAX};
use crate::net::BoxStream;
use crate::shared::Shared;
use crate::station::Station;
use crate::station::carry_out::{CarryOut, beside_the_session};
use crate::station::command::{CommandError, Job, Outcome, failed};
use crate::station::dial::{Dialled, agree, client_config, reach};
use crate::tasks::TaskKind;

/// The reference of the first request on a connection for commands.
const FIRST_REFERENCE: u16 = 1;

/// Carries out each command in a task of its own, so that none waits for another.
pub struct NoRequestDeadline;

/// Connections that no command uses just now.
type Idle = Mutex<Vec<Client<BoxStream>>>;

impl CarryOut for NoRequestDeadline {
    fn carry_out_all<'c>(
        &'c self,
        shared: &'c Arc<Shared>,
        station: &'c Arc<Station>,
    ) -> BoxFuture<'c, Infallible> {
        async move {
            let idle = Arc::<Idle>::default();
            loop {
                station.commands.there_is_one(|| beside_the_session(station)).await;
                let Some(job) = station.commands.begin() else { continue };
                let command = carry_out(Arc::clone(shared), Arc::clone(station), Arc::clone(&idle), job);
                shared.tasks.spawn(TaskKind::Station, command);
            }
        }
        .boxed()
    }
}

async fn carry_out(shared: Arc<Shared>, station: Arc<Station>, idle: Arc<Idle>, job: Job) {
    let waiting = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let client = match waiting {
        Some(client) => Ok(client),
        None => open(&shared, &station).await,
    };
    let outcome = match client {
        Ok(client) => write(&station, &idle, client, &job).await,
        Err(_) => Err(CommandError::NotBegun(station.config.connect_timeout)),
    };
    if !station.commands.settle(&job, outcome) {
        shared.meters.late_acks.up();
    }
}

async fn open(shared: &Shared, station: &Station) -> Dialled {
    let config = &station.config;
    let deadline = Instant::now() + config.connect_timeout;
    let stream = reach(&*shared.net, config, deadline).await?;
    // Whoever asked has a deadline, `commands.timeout`; a second one would only cut off a PLC that is slow to write.
    let request_timeout = REQUEST_TIMEOUT_MAX;
    let wishes = ClientConfig { request_timeout, ..client_config(config, FIRST_REFERENCE) };
    agree(stream, config, wishes, deadline).await
}

async fn write(station: &Station, idle: &Idle, mut client: Client<BoxStream>, job: &Job) -> Outcome {
    let (item, payload, length) = job.write(&station.config.tags);
    let written = client.write_one(item, &payload[..length]).await;
    let outcome = written.as_ref().map_err(failed).copied();
    if !client.is_over() {
        idle.lock().unwrap_or_else(PoisonError::into_inner).push(client);
    }
    outcome
}
