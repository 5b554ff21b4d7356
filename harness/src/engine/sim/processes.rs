//! What stands in sim for what happens to processes: the end of the target or a peer, a pause, a reload.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::Sim;
use crate::chaos::toxics::kill::Signal;
use crate::chaos::toxics::reset::Reset;
use crate::chaos::{Change, Fault};
use crate::engine::PlayFailure;
use crate::engine::parties::{partition, peer_failed, reloaded};
use crate::scenario::plan::PlannedEvent;
use crate::timeline::Ended;
use crate::world::{Setting, World};

/// Between two looks at the addresses of a peer that ends.
const RELEASE_POLL: Duration = Duration::from_millis(1);

/// How long the target may take to take over new settings.
const RELOAD_WITHIN: Duration = Duration::from_secs(10);

impl<W: World> Sim<'_, W> {
    /// Ends the target by `signal`: TERM asks it and waits, KILL drops it.
    pub(super) async fn kill(&mut self, signal: Signal, within: Duration) -> Result<(), Ended> {
        let Some(target) = self.target.take() else { return Ok(()) };
        if signal == Signal::Kill {
            drop(target);
            return Ok(());
        }
        match self.tenants.target.scope(timeout(within, target.stop())).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(why)) => Err(Ended::TargetDied { how: format!("told to stop, it left something: {why}") }),
            Err(_) => Err(Ended::TargetDied { how: format!("told to stop, it did not within {within:?}") }),
        }
    }

    /// Ends the peer `name` as a process ends: its connections are reset, nobody listens; then it starts again.
    pub(super) async fn restart_peer(
        &mut self,
        name: &str,
        event: &PlannedEvent,
        within: Duration,
    ) -> Result<(), Ended> {
        let died = |error: PlayFailure| peer_failed(name, &error);
        let Some(mut party) = self.parties.remove(name) else { return Ok(()) };
        let load = party.load().await.map_err(|error| died(error.into()))?;
        self.acts.ends(name, load);
        let reset = Fault::Reset(Reset::at_once(name));
        {
            let _world = self.tenants.world.enter();
            self.links[name].change(event.id, &reset, &Change::Begin);
            drop(party);
        }
        timeout(within, self.nobody_listens(name)).await.map_err(|_| {
            let how = format!("told to end, it still listened after {within:?}");
            Ended::PeerFailed { peer: name.to_owned(), how }
        })?;
        {
            let _world = self.tenants.world.enter();
            self.links[name].change(event.id, &reset, &Change::End);
        }
        self.start_server(name).await.map_err(died)
    }

    /// Begins or ends the pause of a peer: what its kernel would do for it goes on, nothing else reaches it or leaves it.
    pub(super) fn stand_still(&self, event: &PlannedEvent, change: &Change) {
        let Fault::Pause(pause) = &*event.fault else { return };
        if let Some(link) = self.links.get(&pause.peer) {
            let _world = self.tenants.world.enter();
            link.change(event.id, &pause.on_link(), change);
        }
    }

    /// Begins or ends the partition of the target: nothing passes any link, and nobody is told.
    pub(super) fn partition(&mut self, event: &PlannedEvent) {
        {
            let _world = self.tenants.world.enter();
            partition(event, &self.links);
        }
        if event.change == Change::Partition {
            self.acts.note(&event.fault);
        }
    }

    /// Waits until the tasks of the peer `name` have let go of its addresses: the clock moves only once they have run.
    async fn nobody_listens(&self, name: &str) {
        let instances = self.world.instances(&self.setting.scenario.world[name]);
        for address in (0..instances).map(|ordinal| self.world.sim_address(name, ordinal)) {
            while self.net.is_listening(&address) {
                sleep(RELEASE_POLL).await;
            }
        }
    }

    /// Has the target read the settings that `fault`, a reload, gives it.
    pub(super) async fn reload(&mut self, fault: &Fault) -> Result<(), Ended> {
        let failed = |how: String| Ended::TargetDied { how: format!("told to reload, it did not: {how}") };
        let Fault::Reload(reload) = fault else { return Ok(()) };
        let scenario = reloaded(self.setting.scenario, reload);
        let setting = Setting { scenario: &scenario, ..self.setting };
        let config = self.world.sim_config(&setting).map_err(|error| failed(error.to_string()))?;
        let Some(target) = &mut self.target else { return Ok(()) };
        match self.tenants.target.scope(timeout(RELOAD_WITHIN, target.reload(config))).await {
            Ok(reloaded) => reloaded.map_err(failed),
            Err(_) => Err(failed(format!("it was not done within {RELOAD_WITHIN:?}"))),
        }
    }
}
