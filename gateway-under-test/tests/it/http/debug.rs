//! `/debug`: behind the gate, bounded, JSON.

use gateway_under_test::config::Secret;
use serde_json::Value;

use crate::world::{World, config, start, station};

#[tokio::test(start_paused = true)]
async fn what_the_process_holds_is_shown_to_whoever_has_the_token() {
    let world = World::new();
    let mut config = config(vec![station("press")]);
    config.http.token = Some(Secret::new("open-sesame"));
    let _gateway = start(&world, config).await;
    for (path, rows) in
        [("/debug/tasks", "/tasks/rows"), ("/debug/heap?top=3", "/sites/rows"), ("/debug/fds", "/rows")]
    {
        assert!(world.answer(path).await.starts_with("HTTP/1.1 401"), "{path}");
        let answer = world.send(&format!("GET {path}"), "Authorization: Bearer open-sesame\r\n", "").await;
        let (head, body) = answer.split_once("\r\n\r\n").expect("head and body");
        assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
        let json: Value = serde_json::from_str(body).expect("JSON");
        assert!(json.pointer(rows).is_some_and(Value::is_array), "{path}: {json}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_token_configured_only_this_machine_sees_the_inside() {
    let world = World::new();
    let _gateway = start(&world, config(vec![station("press")])).await;
    assert!(world.answer("/debug/fds").await.starts_with("HTTP/1.1 403"));
    let world = World::new();
    world.listens_at("127.0.0.1:80");
    let _gateway = start(&world, config(vec![station("press")])).await;
    let answer = world.answer("/debug/fds").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
