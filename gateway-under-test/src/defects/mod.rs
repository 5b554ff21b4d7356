//! The gallery: leaks that have taken down real gateways, each a faulty twin of one part in one file.
//!
//! A twin is swapped in by name at start, in builds made to be tested. Nothing else changes, and nothing of it is
//! in a build without the feature `defects`. Beside them stand [`harmless`] twins, which look like leaks and are none.

pub mod acks_never_cleared;
pub mod any_keeps_whole_value;
pub mod cache_without_eviction;
pub mod callback_never_deregistered;
pub mod cancel_not_propagated;
pub mod close_skipped_on_error;
pub mod closure_captures_buffer;
pub mod dead_session_generation;
pub mod dirty_pooled_buffer;
pub mod file_handle_kept;
pub mod fragmented_not_leaked;
pub mod half_open_kept;
pub mod harmless;
pub mod heartbeat_outlives_connection;
pub mod idle_connections_kept;
pub mod lost_wakeup_on_drain;
pub mod no_request_deadline;
pub mod periodic_append;
pub mod pool_entry_outlives_cancel;
pub mod reconnect_without_backoff;
pub mod reference_cycle;
pub mod self_rearming_timer;
pub mod send_to_dead_consumer;
pub mod slice_pins_block;
pub mod spawn_per_tick;
pub mod subscription_never_ends;
pub mod ticker_never_stopped;
pub mod tracker_never_closed;
pub mod unbounded_consumer_backlog;
pub mod unbounded_log_queue;
pub mod unpolled_join_set;

use std::sync::Arc;

use crate::parts::Parts;

/// The name that stands for the healthy gateway.
pub const NONE: &str = "none";

/// One faulty, or harmless, twin.
#[derive(Debug, Clone, Copy)]
pub struct Twin {
    /// Its number in the gallery, `D04`; `N..` for the harmless ones.
    pub id: &'static str,
    /// Its file without `.rs`, by which a configuration asks for it.
    pub name: &'static str,
    /// Puts it in the place of the healthy part.
    swap_in: fn(&mut Parts),
}

/// Every defect, by number.
pub const ALL: &[Twin] = &[
    Twin {
        id: "D01",
        name: "pool_entry_outlives_cancel",
        swap_in: |parts| parts.dial = Arc::new(pool_entry_outlives_cancel::PoolEntryOutlivesCancel),
    },
    Twin {
        id: "D02",
        name: "close_skipped_on_error",
        swap_in: |parts| parts.dial = Arc::new(close_skipped_on_error::CloseSkippedOnError::default()),
    },
    Twin {
        id: "D03",
        name: "no_request_deadline",
        swap_in: |parts| parts.carry_out = Arc::new(no_request_deadline::NoRequestDeadline),
    },
    Twin {
        id: "D04",
        name: "heartbeat_outlives_connection",
        swap_in: |parts| {
            parts.heartbeat = Arc::new(heartbeat_outlives_connection::HeartbeatOutlivesConnection)
        },
    },
    Twin {
        id: "D05",
        name: "cancel_not_propagated",
        swap_in: |parts| parts.carry_out = Arc::new(cancel_not_propagated::CancelNotPropagated),
    },
    Twin {
        id: "D06",
        name: "send_to_dead_consumer",
        swap_in: |parts| parts.delivery = Arc::new(send_to_dead_consumer::SendToDeadConsumer),
    },
    Twin {
        id: "D07",
        name: "unpolled_join_set",
        swap_in: |parts| parts.reception = Arc::new(unpolled_join_set::UnpolledJoinSet::default()),
    },
    Twin {
        id: "D08",
        name: "tracker_never_closed",
        swap_in: |parts| parts.headcount = Arc::new(tracker_never_closed::TrackerNeverClosed),
    },
    Twin {
        id: "D09",
        name: "spawn_per_tick",
        swap_in: |parts| parts.heartbeat = Arc::new(spawn_per_tick::SpawnPerTick),
    },
    Twin {
        id: "D10",
        name: "self_rearming_timer",
        swap_in: |parts| parts.heartbeat = Arc::new(self_rearming_timer::SelfRearmingTimer),
    },
    Twin {
        id: "D11",
        name: "subscription_never_ends",
        swap_in: |parts| parts.events = Arc::new(subscription_never_ends::SubscriptionNeverEnds),
    },
    Twin {
        id: "D12",
        name: "reconnect_without_backoff",
        swap_in: |parts| parts.retry = Arc::new(reconnect_without_backoff::ReconnectWithoutBackoff),
    },
    Twin {
        id: "D13",
        name: "idle_connections_kept",
        swap_in: |parts| parts.reception = Arc::new(idle_connections_kept::IdleConnectionsKept),
    },
    Twin {
        id: "D14",
        name: "ticker_never_stopped",
        swap_in: |parts| parts.delivery = Arc::new(ticker_never_stopped::TickerNeverStopped),
    },
    Twin {
        id: "D15",
        name: "slice_pins_block",
        swap_in: |parts| parts.intake = Arc::new(slice_pins_block::SlicePinsBlock::default()),
    },
    Twin {
        id: "D16",
        name: "unbounded_log_queue",
        swap_in: |parts| parts.log = Arc::new(unbounded_log_queue::UnboundedLog),
    },
    Twin {
        id: "D17",
        name: "dirty_pooled_buffer",
        swap_in: |parts| parts.buffers = Arc::new(dirty_pooled_buffer::DirtyPooledBuffer::default()),
    },
    Twin {
        id: "D18",
        name: "closure_captures_buffer",
        swap_in: |parts| parts.intake = Arc::new(closure_captures_buffer::ClosureCapturesBuffer::default()),
    },
    Twin {
        id: "D19",
        name: "reference_cycle",
        swap_in: |parts| parts.intake = Arc::new(reference_cycle::ReferenceCycle),
    },
    Twin {
        id: "D20",
        name: "cache_without_eviction",
        swap_in: |parts| parts.reception = Arc::new(cache_without_eviction::CacheWithoutEviction::default()),
    },
    Twin {
        id: "D21",
        name: "periodic_append",
        swap_in: |parts| parts.history = Arc::new(periodic_append::PeriodicAppend),
    },
    Twin {
        id: "D22",
        name: "any_keeps_whole_value",
        swap_in: |parts| parts.intake = Arc::new(any_keeps_whole_value::AnyKeepsWholeValue::default()),
    },
    Twin {
        id: "D23",
        name: "callback_never_deregistered",
        swap_in: |parts| {
            parts.delivery = Arc::new(callback_never_deregistered::CallbackNeverDeregistered::default())
        },
    },
    Twin {
        id: "D24",
        name: "unbounded_consumer_backlog",
        swap_in: |parts| parts.delivery = Arc::new(unbounded_consumer_backlog::UnboundedDelivery),
    },
    Twin {
        id: "D25",
        name: "acks_never_cleared",
        swap_in: |parts| parts.identifiers = Arc::new(acks_never_cleared::AcksNeverCleared::default()),
    },
    Twin {
        id: "D26",
        name: "file_handle_kept",
        swap_in: |parts| parts.dump_files = Arc::new(file_handle_kept::FileHandleKept::default()),
    },
    Twin {
        id: "D27",
        name: "half_open_kept",
        swap_in: |parts| parts.dial = Arc::new(half_open_kept::HalfOpenKept),
    },
    Twin {
        id: "D28",
        name: "fragmented_not_leaked",
        swap_in: |parts| parts.intake = Arc::new(fragmented_not_leaked::FragmentedNotLeaked::default()),
    },
    Twin {
        id: "D29",
        name: "dead_session_generation",
        swap_in: |parts| parts.intake = Arc::new(dead_session_generation::DeadSessionGeneration::default()),
    },
    Twin {
        id: "D30",
        name: "lost_wakeup_on_drain",
        swap_in: |parts| parts.headcount = Arc::new(lost_wakeup_on_drain::LostWakeupOnDrain),
    },
];

/// Every name that a configuration may ask for, the healthy gateway's first.
pub fn names() -> impl Iterator<Item = &'static str> {
    [NONE].into_iter().chain(twins().map(|twin| twin.name))
}

fn twins() -> impl Iterator<Item = &'static Twin> {
    ALL.iter().chain(harmless::ALL)
}

/// Puts the twin called `name` in the place of its healthy part; `false` if there is none.
pub(crate) fn swap_in(name: &str, parts: &mut Parts) -> bool {
    let twin = twins().find(|twin| twin.name == name);
    if let Some(twin) = twin {
        (twin.swap_in)(parts);
    }
    twin.is_some() || name == NONE
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_name_has_its_twin_and_no_other_name_has_one() {
        for name in names() {
            assert!(swap_in(name, &mut Parts::healthy()), "{name}");
        }
        assert!(!swap_in("heartbeat", &mut Parts::healthy()));
    }

    #[test]
    fn every_twin_has_a_file_of_its_name_and_stands_in_order() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/defects");
        for (twins, folder) in [(ALL, folder.clone()), (harmless::ALL, folder.join("harmless"))] {
            assert!(twins.is_sorted_by(|a, b| a.id < b.id));
            for twin in twins {
                assert!(folder.join(format!("{}.rs", twin.name)).is_file(), "{twin:?}");
            }
        }
    }
}
