//! One toxic a file: its keys in YAML and its decision.

/// Declares a fault on a link: its own keys, then the keys that all such faults share.
///
/// serde cannot both flatten a struct and reject unknown keys, so the shared keys are written into each.
macro_rules! link_fault {
    (
        $(#[$meta:meta])*
        $name:ident, dir: $dir:literal {
            $($(#[$field_meta:meta])* $field:ident: $type:ty,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema, garde::Validate)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[$field_meta])* pub $field: $type,)*
            /// The link it works on: the name of a peer in `world`.
            #[garde(length(chars, min = 1))]
            pub link: String,
            /// The direction it works in: `up` is from the connecting side to the accepting one.
            #[serde(default = $dir)]
            #[garde(skip)]
            pub dir: $crate::chaos::toxic::Dir,
            /// The part of the connections it takes hold of, drawn once per connection. All unless said.
            #[serde(default = "crate::chaos::toxics::always")]
            #[garde(skip)]
            pub p: $crate::units::Ratio,
            /// When it begins, from the start of the phase. At once unless said.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[garde(skip)]
            pub at: Option<$crate::units::Time>,
            /// How long it lasts. Until the end of the phase unless said.
            #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
            #[garde(skip)]
            pub lasts: Option<$crate::units::Time>,
            /// What becomes of the connections it held when it ends: `deliver` what was held back, `drop` it, or `reset` them.
            #[serde(default)]
            #[garde(skip)]
            pub on_heal: $crate::chaos::toxic::OnHeal,
        }

        impl $crate::chaos::fault::sealed::Sealed for $name {}

        impl $crate::chaos::fault::LinkFault for $name {
            fn common(&self) -> $crate::chaos::fault::Common<'_> {
                $crate::chaos::fault::Common {
                    link: &self.link,
                    dir: self.dir,
                    p: self.p.0,
                    at: self.at.map_or(std::time::Duration::ZERO, |at| at.0),
                    lasts: self.lasts.map(|lasts| lasts.0),
                    on_heal: self.on_heal,
                }
            }

            fn toxic(&self) -> Box<dyn $crate::chaos::toxic::Toxic> {
                Box::new(self.at_work())
            }
        }
    };
}

pub mod accept_delay;
pub mod accept_hang;
pub mod bandwidth;
pub mod blackhole;
pub mod close;
pub mod coalesce;
pub mod flap;
pub mod half_close;
pub mod half_open;
pub mod kill;
pub mod latency;
pub mod limit;
pub mod mute;
pub mod partition;
pub mod pause;
pub mod refuse;
pub mod reload;
pub mod reset;
pub mod retransmit;
pub mod slice;
pub mod slow_read;
pub mod stall;
pub mod storm;

use crate::chaos::toxic::Dir;
use crate::units::{Ratio, Time};

pub(crate) fn always() -> Ratio {
    Ratio(1.0)
}

pub(crate) fn both() -> Dir {
    Dir::Both
}

pub(crate) fn down() -> Dir {
    Dir::Down
}

/// Refuses a time of zero, with the key's own word for what would happen.
pub(crate) fn positive(time: &Time, _: &()) -> garde::Result {
    if time.0.is_zero() { Err(garde::Error::new("must be longer than 0")) } else { Ok(()) }
}
