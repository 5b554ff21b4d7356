//! What `watertight new` writes for the gateway: who stands around it in a scenario that begins.

use watertight::scenario::draft::{OwnPeer, OwnTarget};

use crate::gateway::NAME;

/// The gateway with its peers: PLCs and browsers in every new scenario, brokers where they are asked for.
pub fn gateway() -> OwnTarget {
    OwnTarget {
        name: NAME,
        short: "gateway",
        peers: vec![
            OwnPeer {
                name: "plc",
                spec: "s7: { count: 4, scan: 1s }",
                about: "Simulated PLCs; the gateway polls each once a second.",
                is_server: true,
                at_rest: "sessions: 4",
            },
            OwnPeer {
                name: "browser",
                spec: "sse: { count: 2, read: 1MiB/s }",
                about: "Consumers of the gateway's event stream.",
                is_server: false,
                at_rest: "sse_consumers: 2",
            },
            OwnPeer {
                name: "broker",
                spec: "mqtt: { subscribers: 1 }",
                about: "An MQTT broker that the gateway publishes to.",
                is_server: true,
                at_rest: "",
            },
            OwnPeer {
                name: "store",
                spec: "redis: { subscribers: 1 }",
                about: "A Redis server that the gateway publishes to.",
                is_server: true,
                at_rest: "",
            },
        ],
        reload_with: "{ station: { heartbeat: 4s }, http: { events: { queue: 16 } } }",
    }
}
