//! D25: packet identifiers of lost sessions are never returned.
//!
//! What it looks like: live heap grows by a few small blocks with each connection that is lost while messages are under way,
//! so with each silence of the broker. That is little; the end is not: there are 65,535 identifiers. At two silences an hour
//! with 16 messages each they are gone after twelve weeks, and from then on each message searches all of them for nothing.
//!
//! Why it passes review: the standard says it in so many words: an identifier is in use until its acknowledgement has come,
//! over reconnects too (MQTT 3.1.1, 2.3.1 and 4.1). So those in use are kept beside the connections, and given back on
//! PUBACK. That holds for sessions that the broker keeps. The gateway asks for clean ones: with the connection the broker
//! has forgotten the message, and its acknowledgement never comes.
//!
//! The fix: identifiers belong to the connection and begin anew with it, as the session does.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::mqtt::in_flight::{Identifiers, IdentifiersPart, following};

/// Keeps the identifiers in use over all connections.
#[derive(Default)]
pub struct AcksNeverCleared(Arc<Mutex<InUse>>);

#[derive(Debug, Default)]
struct InUse {
    ids: BTreeSet<u16>,
    last: u16,
}

impl IdentifiersPart for AcksNeverCleared {
    fn open(&self) -> Box<dyn Identifiers> {
        Box::new(OverReconnects(Arc::clone(&self.0)))
    }
}

#[derive(Debug)]
struct OverReconnects(Arc<Mutex<InUse>>);

impl OverReconnects {
    fn lock(&self) -> MutexGuard<'_, InUse> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Identifiers for OverReconnects {
    fn next(&mut self, waits: &dyn Fn(u16) -> bool) -> u16 {
        let mut in_use = self.lock();
        for _candidate in 0..u16::MAX {
            in_use.last = following(in_use.last);
            if !waits(in_use.last) && !in_use.ids.contains(&in_use.last) {
                break;
            }
        }
        let id = in_use.last;
        in_use.ids.insert(id);
        id
    }

    fn settled(&mut self, id: u16) {
        self.lock().ids.remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_lost_connection_had_under_way_is_never_free_again() {
        let part = AcksNeverCleared::default();
        for _connection in 0..10 {
            let mut ids = part.open();
            let sent: Vec<u16> = (0..16).map(|_message| ids.next(&|_| false)).collect();
            ids.settled(sent[0]);
        }
        assert_eq!(part.0.lock().unwrap().ids.len(), 150);
    }

    #[test]
    fn with_every_identifier_lost_the_search_ends_all_the_same() {
        let part = AcksNeverCleared::default();
        let mut ids = part.open();
        (0..=u16::MAX).for_each(|_message| assert_ne!(ids.next(&|_| false), 0));
        assert_eq!(part.0.lock().unwrap().ids.len(), usize::from(u16::MAX));
    }
}
