//! Carries out a station's commands on connections of their own, so that a long poll does not hold them up; where the PLC
//! grants one connection only, the polling session does it.

use std::convert::Infallible;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};

use super::Station;
use super::command::{CommandError, Job, Outcome, failed};
use super::connect::connection;
use super::pool::InUse;
use crate::client::ClientError;
use crate::shared::Shared;

/// The reference of the first request on a connection for commands.
const FIRST_REFERENCE: u16 = 1;

/// Carries out a station's commands.
pub trait CarryOut: Send + Sync {
    /// Carries out commands as they come, until it is dropped.
    fn carry_out_all<'c>(
        &'c self,
        shared: &'c Arc<Shared>,
        station: &'c Arc<Station>,
    ) -> BoxFuture<'c, Infallible>;
}

/// Within the station's own task: whatever is under way is dropped with it.
pub struct WithinTheStation;

impl CarryOut for WithinTheStation {
    fn carry_out_all<'c>(
        &'c self,
        shared: &'c Arc<Shared>,
        station: &'c Arc<Station>,
    ) -> BoxFuture<'c, Infallible> {
        carry_out_all(shared, station).boxed()
    }
}

/// Carries out commands as they come: one after the other, or, where the order does not matter, as many at once as the pool
/// has connections beside the polling session's.
pub async fn carry_out_all(shared: &Shared, station: &Station) -> Infallible {
    let mut under_way = FuturesUnordered::new();
    let most = || if station.config.commands.in_order { 1 } else { station.pool.limit() - 1 };
    loop {
        let begun = under_way.len();
        // One that is under way has not taken its command yet, or has done so: then the others are for the next.
        let has_more =
            || beside_the_session(station) && begun < most().min(begun + station.commands.waiting());
        tokio::select! {
            biased;
            Some(()) = under_way.next() => {}
            () = station.commands.there_is_one(has_more) => under_way.push(carry_out(shared, station)),
        }
    }
}

/// Whether there may be a connection beside the polling session's.
pub fn beside_the_session(station: &Station) -> bool {
    station.pool.limit() > 1
}

async fn carry_out(shared: &Shared, station: &Station) {
    match connection(shared, station, FIRST_REFERENCE).await {
        Ok(mut connection) => {
            // Why the connection ended, if it did, is in the outcome; dropped, it is closed.
            if write_next(shared, station, &mut connection).await.is_ok() {
                connection.park();
            }
        }
        Err(_refused) => {
            // The polling session has its connection: so this is all that the PLC grants.
            station.pool.note_refused();
            station.commands.look_again();
        }
    }
}

/// Writes what a northbound side asked for, and tells it what became of that. An error is of the connection.
pub async fn write_next(
    shared: &Shared,
    station: &Station,
    connection: &mut InUse<'_>,
) -> Result<(), ClientError> {
    let Some(job) = station.commands.begin() else { return Ok(()) };
    let (item, payload, length) = job.write(&station.config.tags);
    let unsettled = Unsettled { shared, station, job: Some(job) };
    let written = connection.client.write_one(item, &payload[..length]).await;
    unsettled.settle(written.as_ref().map_err(failed).copied());
    written.or_else(|error| if error.is_final() { Err(error) } else { Ok(()) })
}

/// A command that the PLC was asked to carry out. Dropped before the PLC has answered, its caller learns that.
struct Unsettled<'a> {
    shared: &'a Shared,
    station: &'a Station,
    job: Option<Job>,
}

impl Unsettled<'_> {
    fn settle(mut self, outcome: Outcome) {
        self.tell(outcome);
    }

    fn tell(&mut self, outcome: Outcome) {
        if let Some(job) = self.job.take()
            && !self.station.commands.settle(&job, outcome)
        {
            self.shared.meters.late_acks.up();
        }
    }
}

impl Drop for Unsettled<'_> {
    fn drop(&mut self) {
        self.tell(Err(CommandError::Unconfirmed("the session ended first".to_owned())));
    }
}
