//! `close`: an orderly FIN that neither end asked for.

use tokio::time::Instant;

use crate::chaos::toxic::{Cut, Dir, Direction, Moment, Toxic};

link_fault! {
    /// Closes connections with a FIN: both ends read what is under way, then end of file. With `dir: up` or `down` only
    /// that direction ends (a half-close). A connection opened while it lasts is established first.
    Close, dir: "crate::chaos::toxics::both" {}
}

impl Close {
    fn at_work(&self) -> Curtain {
        Curtain(match self.dir {
            Dir::Up => Cut::Fin(Direction::Up),
            Dir::Down => Cut::Fin(Direction::Down),
            Dir::Both => Cut::Close,
        })
    }
}

#[derive(Debug)]
struct Curtain(Cut);

impl Toxic for Curtain {
    fn cut(&self, moment: &Moment) -> Option<(Instant, Cut)> {
        Some((moment.since, self.0))
    }
}
