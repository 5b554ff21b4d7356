//! What happens to the processes of a run: the end of the target or a peer, a pause, a reload.

use std::time::Duration;

use rustix::process::Signal;

use super::{Live, blind};
use crate::chaos::Fault;
use crate::chaos::toxics::kill;
use crate::engine::parties::{partition, peer_failed, reloaded};
use crate::scenario::plan::PlannedEvent;
use crate::timeline::Ended;
use crate::world::{Setting, World};

impl<W: World> Live<'_, W> {
    pub(super) async fn kill(&mut self, signal: kill::Signal, within: Duration) -> Result<(), Ended> {
        let Some((Some(running), _)) = self.target.take() else { return Ok(()) };
        self.paused.remove(kill::TARGET);
        self.is_cut_off = false;
        running.stop(sent(signal), within).await.map_err(|how| Ended::TargetDied { how })
    }

    /// Ends the peer `name` by `signal` and starts it again, where it was.
    pub(super) async fn restart_peer(
        &mut self,
        name: &str,
        signal: kill::Signal,
        within: Duration,
    ) -> Result<(), Ended> {
        let Some(server) = self.servers.remove(name) else { return Ok(()) };
        let Some(mut running) = server.running else { return Ok(()) };
        // A process that stands still neither counts nor ends.
        running.signal(Signal::CONT).await;
        self.paused.remove(name);
        let peer = &self.setting.scenario.world[name];
        let load = self.world.server_load(peer, &server.place).await;
        self.acts.ends(name, load.map_err(|error| peer_failed(name, &error.into()))?);
        let ended = running.end(sent(signal), within).await;
        ended.map_err(|how| Ended::PeerFailed { peer: name.to_owned(), how })?;
        self.start_server(name, server.port).await.map_err(|failure| peer_failed(name, &failure))
    }

    /// Sends `signal` to a party; an error where there is none to be signalled.
    async fn signal(&mut self, party: &str, signal: Signal) -> Result<(), Ended> {
        let Some(server) = self.servers.get_mut(party) else {
            let (Some(running), _) = self.target()? else { return Ok(()) };
            return match running.signal(signal).await {
                true => Ok(()),
                false => Err(running.ended_by_now().await.unwrap_or_else(|| blind("it cannot be signalled"))),
            };
        };
        // What runs already is left alone: such faults are refused before the run.
        let Some(running) = server.running.as_mut() else { return Ok(()) };
        match running.signal(signal).await {
            true => Ok(()),
            false => {
                let how = format!("it cannot be sent {signal:?}: it has ended");
                Err(Ended::PeerFailed { peer: party.to_owned(), how })
            }
        }
    }

    /// Stops the process of `party`, or lets it go on.
    pub(super) async fn pause(&mut self, party: &str, signal: Signal) -> Result<(), Ended> {
        self.signal(party, signal).await?;
        match signal {
            Signal::STOP => self.paused.insert(party.to_owned()),
            _ => self.paused.remove(party),
        };
        Ok(())
    }

    /// Cuts the target off from everybody, or repairs that: its own network where it has one, else every link.
    pub(super) async fn cut_off(&mut self, event: &PlannedEvent, cut: bool) -> Result<(), Ended> {
        let Some(done) = self.house.cut_off(cut) else {
            partition(event, self.wiring.links());
            return Ok(());
        };
        // A target that was started anew meanwhile is connected already.
        if cut != self.is_cut_off {
            done.await.map_err(blind)?;
            self.is_cut_off = cut;
        }
        Ok(())
    }

    /// Writes the settings that `fault`, a reload, gives the target, and tells it to read them.
    pub(super) async fn reload(&mut self, fault: &Fault) -> Result<(), Ended> {
        let Fault::Reload(reload) = fault else { return Ok(()) };
        if self.setting.scenario.target.command.is_none() {
            let scenario = reloaded(self.setting.scenario, reload);
            let setting = Setting { scenario: &scenario, ..self.setting };
            self.world.rewrite_config(&setting, &self.seen).map_err(blind)?;
        }
        self.signal(kill::TARGET, Signal::HUP).await
    }
}

fn sent(signal: kill::Signal) -> Signal {
    match signal {
        kill::Signal::Term => Signal::TERM,
        kill::Signal::Kill => Signal::KILL,
    }
}
