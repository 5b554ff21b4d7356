//! Who stands where: the peers of a new scenario, and which links there are to disturb.

use std::fmt::Write;

use super::target::{list, scalar};
use super::{Draft, DraftError, DraftPeer, DraftTarget, OwnPeer, OwnTarget, Talk, Template};

/// The consumers of a target that is no built-in one.
const CLIENTS: &str = "clients";

/// The world of a draft.
#[derive(Debug)]
pub(super) struct Ground {
    peers: Vec<Peer>,
    own: Option<OwnTarget>,
    template: Template,
}

#[derive(Debug)]
struct Peer {
    name: String,
    is_server: bool,
    about: String,
    /// What stands under its name: one line, or lines of their own.
    spec: Vec<String>,
    at_rest: String,
}

impl Ground {
    pub(super) fn of(draft: &Draft) -> Result<Self, DraftError> {
        let (own, peers) = match &draft.target {
            DraftTarget::Own(own) => (Some(own.clone()), own_peers(own, &draft.peers)?),
            _ => (None, foreign_peers(draft)?),
        };
        Ok(Self { peers, own, template: draft.template })
    }

    pub(super) fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// The settings that a reload brings.
    pub(super) fn reload_with(&self) -> Option<&'static str> {
        self.own.as_ref().map(|own| own.reload_with)
    }

    /// The link to whom the target connects; without one, that of its consumers.
    pub(super) fn server(&self) -> &str {
        self.first(true).or_else(|| self.first(false)).unwrap_or(CLIENTS)
    }

    /// The link of those who connect to the target; without one, that of its servers.
    pub(super) fn consumer(&self) -> &str {
        self.first(false).or_else(|| self.first(true)).unwrap_or(CLIENTS)
    }

    fn first(&self, is_server: bool) -> Option<&str> {
        self.peers.iter().find(|peer| peer.is_server == is_server).map(|peer| peer.name.as_str())
    }

    /// Variables that tell a program where its servers are.
    pub(super) fn env(&self) -> Vec<(String, String)> {
        let servers: Vec<&Peer> = self.peers.iter().filter(|peer| peer.is_server && !self.is_own()).collect();
        let variable = |peer: &&Peer| format!("{}_ADDRESS", peer.name.to_uppercase().replace('-', "_"));
        servers.iter().map(|peer| (variable(peer), format!("{{peers.{}}}", peer.name))).collect()
    }

    /// What means "at rest": `sessions: 4, sse_consumers: 2`.
    pub(super) fn at_rest(&self) -> String {
        let figures = self.peers.iter().map(|peer| peer.at_rest.as_str());
        figures.filter(|figure| !figure.is_empty()).collect::<Vec<_>>().join(", ")
    }

    /// `world:` and, where they matter, `links:`.
    pub(super) fn world(&self) -> String {
        let mut text = "\n# Whom the target connects to, and who connects to it. Each stands on a link of its name, on which faults work.\nworld:\n".to_owned();
        for peer in &self.peers {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "  # {}", peer.about);
            match peer.spec.as_slice() {
                [one] => {
                    let _ = writeln!(text, "  {}: {{ {one} }}", peer.name);
                }
                lines => {
                    let lines = lines.join("\n    ");
                    let _ = writeln!(text, "  {}:\n    {lines}", peer.name);
                }
            }
        }
        if self.template == Template::SlowConsumer {
            text += "\n# A small buffer: what is not read soon stands in the target.\n";
            let _ = writeln!(text, "links:\n  {}: {{ buffer: 4KiB }}", self.consumer());
        }
        text
    }
}

/// The first server and the first consumer, and whoever is asked for.
fn own_peers(own: &OwnTarget, asked: &[DraftPeer]) -> Result<Vec<Peer>, DraftError> {
    let first = |is_server| own.peers.iter().find(|peer| peer.is_server == is_server);
    let mut chosen: Vec<&OwnPeer> = [first(true), first(false)].into_iter().flatten().collect();
    for peer in asked {
        let name = peer.name();
        let found = own.peers.iter().find(|peer| peer.name == name).ok_or_else(|| {
            let known: Vec<String> = own.peers.iter().map(|peer| format!("`{}`", peer.name)).collect();
            DraftError::UnknownPeer {
                found: name.to_owned(),
                target: own.name.to_owned(),
                known: known.join(", "),
            }
        })?;
        if !chosen.contains(&found) {
            chosen.push(found);
        }
    }
    let peer = |peer: &OwnPeer| Peer {
        name: peer.name.to_owned(),
        is_server: peer.is_server,
        about: peer.about.to_owned(),
        spec: vec![peer.spec.to_owned()],
        at_rest: peer.at_rest.to_owned(),
    };
    Ok(chosen.into_iter().map(peer).collect())
}

fn foreign_peers(draft: &Draft) -> Result<Vec<Peer>, DraftError> {
    let mut peers = draft.peers.iter().map(service).collect::<Result<Vec<_>, _>>()?;
    peers.push(Peer {
        name: CLIENTS.to_owned(),
        is_server: false,
        about: "Clients: each says its talk over and over, and connects anew after `stay` of it.".to_owned(),
        spec: clients(&draft.talk, draft.template),
        at_rest: String::new(),
    });
    Ok(peers)
}

fn service(peer: &DraftPeer) -> Result<Peer, DraftError> {
    let (name, spec) = match peer {
        DraftPeer::Own(name) => return Err(DraftError::PeerWithoutPlace(name.clone())),
        DraftPeer::Address(name, address) => (name, format!("address: {}", scalar(address))),
        DraftPeer::Command(name, words) => (name, format!("command: {}", list(words))),
    };
    Ok(Peer {
        name: name.clone(),
        is_server: true,
        about: format!("A service of the target's, which it reaches at `{{peers.{name}}}`."),
        spec: vec![format!("tcp: {{ {spec} }}")],
        at_rest: String::new(),
    })
}

fn clients(talk: &Talk, template: Template) -> Vec<String> {
    let talk = match talk {
        // Whoever vanishes must be there: in the middle of a request, header by header.
        Talk::Http if template == Template::HalfOpen => vec![
            "  stay: 8".to_owned(),
            r#"  newline: "\r\n""#.to_owned(),
            r#"  hello: [{ send: "GET / HTTP/1.1\r\nHost: localhost" }]"#.to_owned(),
            r#"  talk: [{ send: "X-More: follows" }]"#.to_owned(),
        ],
        Talk::Http => vec![
            "  stay: 1".to_owned(),
            r#"  newline: "\r\n""#.to_owned(),
            r#"  talk: [{ send: "GET / HTTP/1.1\r\nHost: localhost\r\n", answer: ["HTTP/1."] }]"#.to_owned(),
        ],
        Talk::Line(line, answer) => {
            let answer = answer.as_ref().map(|answer| format!(", answer: [{}]", scalar(answer)));
            let exchange = format!("send: {}{}", scalar(line), answer.unwrap_or_default());
            vec!["  stay: 8".to_owned(), format!("  talk: [{{ {exchange} }}]")]
        }
    };
    let begin = ["tcp_client:", "  count: 4", "  every: 200ms", "  retry: 500ms"].map(str::to_owned);
    begin.into_iter().chain(talk).collect()
}
