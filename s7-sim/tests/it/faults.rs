//! Fault knobs, turned while sessions run.

use std::time::Duration;

use s7_sim::{PlcConfig, SessionEnd};
use tokio::io::AsyncReadExt;
use tokio::time::Instant;

use crate::client::{Client, ITEM, plc};

#[tokio::test(start_paused = true)]
async fn an_answer_comes_after_its_delay_and_in_order_when_the_delay_shrinks() {
    let plc = plc(PlcConfig::default());
    let mut client = Client::ready(&plc).await;
    let start = Instant::now();
    plc.update_faults(|faults| faults.answer_delay = Duration::from_millis(250));
    client.send_read(1, &[ITEM]).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    plc.update_faults(|faults| faults.answer_delay = Duration::ZERO);
    client.send_read(2, &[ITEM]).await;

    assert_eq!(client.answer().await.unwrap().0, 1);
    // tokio's timers have a grain of a millisecond.
    let waited = start.elapsed();
    assert!((250..=252).contains(&waited.as_millis()), "{waited:?}");
    assert_eq!(client.answer().await.unwrap().0, 2);
    assert_eq!(start.elapsed(), waited);
}

#[tokio::test(start_paused = true)]
async fn delayed_answers_overlap_they_do_not_queue() {
    let plc = plc(PlcConfig::default());
    plc.update_faults(|faults| faults.answer_delay = Duration::from_millis(100));
    let mut client = Client::ready(&plc).await;
    let start = Instant::now();
    for reference in 0..5 {
        client.send_read(reference, &[ITEM]).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for reference in 0..5 {
        assert_eq!(client.answer().await.unwrap().0, reference);
    }
    assert!(start.elapsed() < Duration::from_millis(160), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_silent_plc_accepts_and_never_answers_nor_closes() {
    let plc = plc(PlcConfig::default());
    let mut before = Client::ready(&plc).await;
    plc.update_faults(|faults| faults.silence = true);
    let mut during = Client::dial(&plc);
    during.send_connect().await;
    before.send_read(1, &[ITEM]).await;
    let day = Duration::from_secs(24 * 3600);
    assert!(before.hears_nothing_for(day).await);
    assert!(during.hears_nothing_for(day).await);
    assert_eq!(plc.stats().connections, 2);
}

#[tokio::test(start_paused = true)]
async fn a_session_goes_on_after_a_silence_without_the_lost_answers() {
    let plc = plc(PlcConfig::default());
    let mut client = Client::ready(&plc).await;
    plc.update_faults(|faults| faults.silence = true);
    client.send_read(1, &[ITEM]).await;
    assert!(client.hears_nothing_for(Duration::from_secs(1)).await);
    plc.update_faults(|faults| faults.silence = false);
    client.send_read(2, &[ITEM]).await;
    assert_eq!(client.answer().await.unwrap().0, 2);
    assert_eq!(plc.stats().requests, 3, "setup and two reads, one of them unanswered");
}

#[tokio::test(start_paused = true)]
async fn a_stop_in_mid_frame_sends_half_an_answer_and_then_nothing() {
    let plc = plc(PlcConfig::default());
    let mut client = Client::ready(&plc).await;
    plc.update_faults(|faults| faults.stop_mid_frame = true);
    client.send_read(1, &[ITEM]).await;
    // The whole answer: 7 bytes around 12 + 2 of header and function, 4 + 4 of item.
    let mut half = [0; 14];
    client.stream.read_exact(&mut half).await.unwrap();
    assert_eq!(half[..4], [3, 0, 0, 29]);
    plc.update_faults(|faults| faults.stop_mid_frame = false);
    client.send_read(2, &[ITEM]).await;
    assert!(client.hears_nothing_for(Duration::from_secs(30)).await);
    assert!(matches!(client.end().await, SessionEnd::IdleTimeout { .. }));
}
