//! Slots: few, counted, and always given back.

use s7_sim::{Faults, PlcConfig, Refusal, SessionEnd};
use s7_wire::{Disconnect, Message};

use crate::client::{Client, plc};

#[tokio::test(start_paused = true)]
async fn a_full_plc_refuses_by_dr_and_serves_again_when_a_slot_is_free() {
    let plc = plc(PlcConfig { slots: 2, ..PlcConfig::default() });
    let (first, _second) = (Client::ready(&plc).await, Client::ready(&plc).await);

    let mut third = Client::dial(&plc);
    third.send_connect().await;
    let refusal = Disconnect { destination: 1, source: 0, reason: Disconnect::CONGESTION };
    assert_eq!(third.message().await, Some(Message::DisconnectRequest(refusal)));
    assert_eq!(third.message().await, None);
    assert!(matches!(third.end().await, SessionEnd::Refused { .. }));

    let Client { stream, session, .. } = first;
    drop(stream);
    assert!(matches!(session.await.unwrap(), SessionEnd::Closed));
    let _fourth = Client::ready(&plc).await;
    let stats = plc.stats();
    assert_eq!((stats.sessions, stats.sessions_peak, stats.sessions_opened, stats.refused), (2, 2, 3, 1));
}

#[tokio::test(start_paused = true)]
async fn a_full_plc_can_refuse_by_closing() {
    let plc = plc(PlcConfig { slots: 1, refusal: Refusal::Close, ..PlcConfig::default() });
    let _first = Client::connect(&plc).await;
    let mut second = Client::dial(&plc);
    second.send_connect().await;
    assert_eq!(second.message().await, None);
    assert_eq!(plc.stats().refused, 1);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_dropped_frees_its_slot_at_once() {
    let plc = plc(PlcConfig { slots: 1, ..PlcConfig::default() });
    let client = Client::ready(&plc).await;
    assert_eq!((plc.stats().sessions, plc.stats().connections), (1, 1));
    client.session.abort();
    assert!(client.session.await.unwrap_err().is_cancelled());
    assert_eq!((plc.stats().sessions, plc.stats().connections), (0, 0));
    Client::ready(&plc).await;
}

#[tokio::test(start_paused = true)]
async fn half_made_connections_are_bounded_and_hold_no_slot() {
    let plc = plc(PlcConfig { half_made_max: 2, ..PlcConfig::default() });
    let (first, _second) = (Client::dial(&plc), Client::dial(&plc));
    tokio::task::yield_now().await;
    assert_eq!((plc.stats().connections, plc.stats().sessions), (2, 0));
    let mut third = Client::dial(&plc);
    assert_eq!(third.message().await, None);
    assert_eq!((plc.stats().connections, plc.stats().refused), (2, 1));
    drop(first.stream);
    first.session.await.unwrap();
    Client::ready(&plc).await;
}

#[tokio::test(start_paused = true)]
async fn a_knob_refuses_everybody_until_it_is_turned_back() {
    let plc = plc(PlcConfig::default());
    plc.set_faults(Faults { refuse: Some(Refusal::Close), ..Faults::default() });
    let mut client = Client::dial(&plc);
    client.send_connect().await;
    assert_eq!(client.message().await, None);
    plc.set_faults(Faults::default());
    Client::ready(&plc).await;
}
